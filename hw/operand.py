"""OPERAND: a native code as the multipliers take it, with a few predecoded bits that make their tables small."""

from __future__ import annotations

from amaranth.hdl import Cat, Value
from amaranth.lib import data

from .spec.config import CODE_BITS
from .spec.digits import NATIVE

__all__ = ["MAGNITUDE", "OPERAND", "code_of", "level_of", "operand_bits", "recode"]

_PREDECODED: dict[str, tuple[int, ...]] = {
    "one": (1, 3),  # levels with a 1 in binary
    "two": (2, 3, 6),
    "four": (4, 6),
    "high": (8, 16),  # high and huge tell 16 (both), 8, 4 or 6 (huge alone) and the rest apart
    "huge": (4, 6, 16),
}
"""Which levels set each predecoded bit."""

MAGNITUDE = data.StructLayout({"code": CODE_BITS - 1, **dict.fromkeys(_PREDECODED, 1)})
"""Magnitude code, and the predecoded bits: every product bit is a small function of a few of them."""

OPERAND = data.StructLayout({"magnitude": MAGNITUDE, "negative": 1})
"""One operand of a multiplier."""


def operand_bits(code: int) -> int:
    """Bits of the operand that a native code becomes."""
    magnitude = code & ((1 << (CODE_BITS - 1)) - 1)
    level = NATIVE.magnitudes[magnitude]
    bits = {name: int(level in levels) for name, levels in _PREDECODED.items()}
    return (
        OPERAND.const({"magnitude": {"code": magnitude, **bits}, "negative": code >> (CODE_BITS - 1)}).as_value().value
    )


def recode(code: Value) -> Value:
    """Operand of a native code; combinational, one look-up table a bit."""
    magnitude = code[: CODE_BITS - 1]
    bits = []
    for levels in _PREDECODED.values():
        bits.append(Cat(magnitude == NATIVE.magnitudes.index(level) for level in levels).any())
    return Cat(magnitude, *bits, code[CODE_BITS - 1])


def code_of(operand: data.View) -> Value:
    """Native code that an operand was made of."""
    return Cat(operand.magnitude.code, operand.negative)


def level_of(magnitude: data.View) -> Value:
    """Level of a magnitude, in binary: all its bits are predecoded."""
    eight, sixteen = magnitude.high & ~magnitude.huge, magnitude.high & magnitude.huge
    return Cat(magnitude.one, magnitude.two, magnitude.four, eight, sixteen)
