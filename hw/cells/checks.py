"""Check bits of a granule, and what they say of words, from the memories to the registers."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data

from ..spec.protection import CheckCode

__all__ = ["CHECK", "DAMAGE", "any_check", "check_bits", "judged"]

CHECK = data.StructLayout({"damaged": 1, "corrected": 1})
"""What check bits say of a word that was read (`spec.protection`)."""

DAMAGE = data.StructLayout({name: data.ArrayLayout(1, 16) for name in CHECK.members})
"""The same by number of region, as `Register.DAMAGE` has it."""


def any_check(m: Module, name: str, checks: Any, judged: Value) -> data.View:
    """Whether any word that is ``judged`` (a bit for each) was damaged, or corrected, a cycle later."""
    register: Any = Signal(CHECK, name=f"{name}_check")
    m.d.sync += [register[kind].eq((Cat(check[kind] for check in checks) & judged).any()) for kind in CHECK.members]
    return register


def check_bits(code: CheckCode, value: Value) -> Value:
    """Check bits of a granule's bits, the lowest ones of ``value``."""
    return Cat(
        Cat(value[place] for place, column in enumerate(code.columns) if column >> bit & 1).xor()
        for bit in range(code.bits)
    )


def judged(code: CheckCode, value: Value, checks: Value) -> tuple[Value, Value, Value]:
    """A granule as it is read, with its check bits: its bits, corrected where the code does so, whether it is damaged,
    and whether it was corrected."""
    syndrome = check_bits(code, value) ^ checks
    if not code.corrects:
        return value, syndrome.any(), Const(0)
    fixes = Cat(syndrome == column for column in code.columns)
    corrected = Cat(fixes, *(syndrome == 1 << bit for bit in range(code.bits))).any()
    return value ^ fixes, syndrome.any() & ~corrected, corrected
