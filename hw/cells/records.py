"""Views of ISA records for hardware: the tables of `spec.isa` as Amaranth layouts."""

from __future__ import annotations

from amaranth.hdl import Value, signed, unsigned
from amaranth.lib import data

from ..spec.isa import Record

__all__ = ["field_of", "record_layout"]


def record_layout(record: Record) -> data.FlexibleLayout:
    """Layout of a record's 32-bit words, word 0 in the low bits, with each field where the table places it, but for
    those of cores with dynamic weights: `field_of` gives these."""
    fields = {
        field.name: data.Field(
            signed(field.width) if field.signed else unsigned(field.width), 32 * field.word + field.lsb
        )
        for field in record.of_cores(dynamic=False)
    }
    return data.FlexibleLayout(32 * record.words, fields)


def field_of(words: data.View, record: Record, name: str) -> Value:
    """A field of a record's words that `record_layout` leaves out."""
    field = record[name]
    bits = Value.cast(words)[32 * field.word + field.lsb :][: field.width]
    return bits.as_signed() if field.signed else bits
