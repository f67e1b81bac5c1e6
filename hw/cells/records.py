"""Views of ISA records for hardware: the tables of `spec.isa` as Amaranth layouts."""

from __future__ import annotations

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from ..spec.isa import Record

__all__ = ["record_layout"]


def record_layout(record: Record) -> data.FlexibleLayout:
    """Layout of a record's 32-bit words, word 0 in the low bits, with each field where the table places it."""
    fields = {
        field.name: data.Field(
            signed(field.width) if field.signed else unsigned(field.width), 32 * field.word + field.lsb
        )
        for field in record.fields
    }
    return data.FlexibleLayout(32 * record.words, fields)
