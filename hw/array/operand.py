"""Operands: a code as the multipliers take it, with predecoded bits where they make the multipliers' tables small."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from amaranth.hdl import Cat, Value
from amaranth.lib import data

from ..spec.formats import DyBit, Format

__all__ = ["code_of", "level_of", "magnitude_layout", "operand_bits", "operand_layout", "recode"]

_PREDECODED: Mapping[Format, Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        DyBit(4): MappingProxyType(
            {
                f"in_{'_'.join(map(str, levels))}": levels
                for levels in ((1, 3), (2, 3, 6), (1, 4, 6), (4, 6, 8), (8, 16))
            }
        )
    }
)
"""Which levels set each predecoded bit, for bases that have some."""


def _predecoded(base: Format) -> Mapping[str, tuple[int, ...]]:
    return _PREDECODED.get(base, {})


def magnitude_layout(base: Format) -> data.StructLayout:
    """Magnitude code, and the predecoded bits, each named for the levels that set it."""
    return data.StructLayout({"code": base.magnitude_bits, **dict.fromkeys(_predecoded(base), 1)})


def operand_layout(base: Format) -> data.StructLayout:
    """One operand of a multiplier."""
    return data.StructLayout({"magnitude": magnitude_layout(base), "negative": 1})


def operand_bits(base: Format, code: int) -> int:
    """Bits of the operand that a code becomes."""
    magnitude = code & ((1 << base.magnitude_bits) - 1)
    level = base.magnitudes[magnitude]
    bits = {name: int(level in levels) for name, levels in _predecoded(base).items()}
    fields = {"magnitude": {"code": magnitude, **bits}, "negative": code >> base.magnitude_bits}
    return operand_layout(base).const(fields).as_value().value


def recode(base: Format, code: Value) -> Value:
    """Operand of a code, which may have bits to spare; combinational, one look-up table a bit."""
    magnitude = code[: base.magnitude_bits]
    bits = [_one_of(base, magnitude, levels) for levels in _predecoded(base).values()]
    return Cat(magnitude, *bits, code[base.magnitude_bits])


def code_of(operand: data.View) -> Value:
    """Code that an operand was made of, as wide as the base."""
    return Cat(operand.magnitude.code, operand.negative)


def level_of(base: Format, magnitude: data.View) -> Value:
    """Level of a magnitude, in binary."""
    return Cat(
        _one_of(base, magnitude.code, tuple(level for level in base.magnitudes if level >> bit & 1))
        for bit in range(base.top.bit_length())
    )


def _one_of(base: Format, magnitude: Value, levels: tuple[int, ...]) -> Value:
    return Cat(magnitude == base.magnitudes.index(level) for level in levels).any()
