"""Operand: a code as the multipliers take it, with predecoded bits where they make the multipliers' tables small."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from amaranth.hdl import Cat, Value
from amaranth.lib import data

from ..spec.config import AcceleratorConfig
from ..spec.formats import Format
from .tables import predecoded

__all__ = ["Operand", "act_operand", "predecoded_name", "weight_operand"]


@dataclass(frozen=True)
class Operand:
    """One operand of a multiplier: magnitude code, predecoded bits, each named for the levels that set it, and sign.

    Parameters
    ----------
    base : Format
        Of its code.
    predecoded : tuple of tuple of int
        Magnitudes that set each predecoded bit.
    """

    base: Format
    predecoded: tuple[tuple[int, ...], ...]

    @functools.cached_property
    def magnitude(self) -> data.StructLayout:
        """What a multiplier takes: code and predecoded bits."""
        return data.StructLayout(
            {"code": self.base.magnitude_bits, **{predecoded_name(levels): 1 for levels in self.predecoded}}
        )

    @functools.cached_property
    def layout(self) -> data.StructLayout:
        """The whole operand."""
        return data.StructLayout({"magnitude": self.magnitude, "negative": 1})

    def bits(self, code: int) -> int:
        """Bits of the operand that a code becomes."""
        level = abs(int(self.base.decode(code)))
        bits = {predecoded_name(levels): int(level in levels) for levels in self.predecoded}
        magnitude = {"code": code & ((1 << self.base.magnitude_bits) - 1), **bits}
        fields = {"magnitude": magnitude, "negative": code >> self.base.magnitude_bits}
        return self.layout.const(fields).as_value().value

    def recode(self, code: Value) -> Value:
        """Operand of a code, which may have bits to spare; combinational, a look-up table or two a bit."""
        own = code[: self.base.bits]
        bits = [self._one_of(own, levels) for levels in self.predecoded]
        return Cat(own[:-1], *bits, own[-1])

    def code_of(self, operand: data.View) -> Value:
        """Code that an operand was made of, as wide as the base."""
        return Cat(operand.magnitude.code, operand.negative)

    def level_of(self, magnitude: data.View) -> Value:
        """Level of a magnitude, in binary."""
        if not self.base.octaves:
            lowest = [magnitude[predecoded_name((-self.base.bottom,))]] if self.base.whole else []
            return Cat(magnitude.code, *lowest)
        bits = range(self.base.top.bit_length())
        return Cat(self._level_bit(magnitude, tuple(v for v in self.base.magnitudes if v >> bit & 1)) for bit in bits)

    def _level_bit(self, magnitude: data.View, levels: tuple[int, ...]) -> Value:
        if levels in self.predecoded:
            return magnitude[predecoded_name(levels)]
        return Cat(magnitude.code == self.base.magnitudes.index(level) for level in levels).any()

    def _one_of(self, code: Value, levels: tuple[int, ...]) -> Value:
        """Whether a code's magnitude is one of some levels."""
        lowest = [
            code == 1 << self.base.magnitude_bits for level in levels if self.base.whole and level == -self.base.bottom
        ]
        places = (self.base.magnitudes.index(level) for level in levels if level in self.base.magnitudes)
        return Cat(*lowest, *(code[:-1] == place for place in places)).any()


def predecoded_name(levels: tuple[int, ...]) -> str:
    """Name of a predecoded bit."""
    return f"in_{'_'.join(map(str, levels))}"


@functools.cache
def _operand(side: str, weights: Format, acts: Format) -> Operand:
    return Operand(acts if side == "x" else weights, predecoded(weights, acts)[side])


def act_operand(config: AcceleratorConfig) -> Operand:
    """Activations of a core."""
    return _operand("x", config.weight_digits.base, config.digits.base)


def weight_operand(config: AcceleratorConfig) -> Operand:
    """Weights of a core."""
    return _operand("w", config.weight_digits.base, config.digits.base)
