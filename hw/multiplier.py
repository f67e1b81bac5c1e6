"""Multiplier: magnitudes of two operands to the magnitude of their product."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .operand import MAGNITUDE
from .spec.digits import NATIVE

__all__ = ["PRODUCT_BITS", "Multiplier"]

PRODUCT_BITS = (NATIVE.top**2).bit_length()
"""Width of a product magnitude."""

_MIDDLE = range(3, 6)
"""Product bits that need all of both codes; the others follow from two or three predecoded bits of each operand."""


class Multiplier(wiring.Component):
    """``product = level(a) * level(b)``; combinational. Signs are not its business: the adder tree defers them.

    A level is ``{1, 3} * 2**e``, so a product bit is set by few pairs of levels, and most bits tell no more than four
    classes of either operand apart: with two predecoded bits for the class they are functions of four inputs.
    """

    def __init__(self) -> None:
        super().__init__({"a": In(MAGNITUDE), "b": In(MAGNITUDE), "product": Out(PRODUCT_BITS)})

    def elaborate(self, platform: object) -> Module:
        """Small functions of predecoded bits, and tables of both codes for the bits in the middle."""
        m = Module()
        a, b = self.a, self.b
        a16, b16 = a.high & a.huge, b.high & b.huge
        a8, b8 = a.high & ~a.huge, b.high & ~b.huge
        a46, b46 = ~a.high & a.huge, ~b.high & b.huge
        m.d.comb += [
            self.product[0].eq(a.one & b.one),
            self.product[1].eq((a.one & b.two) ^ (a.two & b.one)),
            self.product[2].eq((a.two & b.two & ~(a.one & b.one)) ^ ((a.one & b.four) | (a.four & b.one))),
            self.product[6].eq((a16 & b46) | (a46 & b16) | (a8 & b8)),
            self.product[7].eq((a16 & b8) | (a8 & b16)),
            self.product[8].eq(a16 & b16),
        ]
        codes = Signal(2 * len(a.code))
        m.d.comb += codes.eq(Cat(a.code, b.code))
        pairs = [(x, y) for y in NATIVE.magnitudes for x in NATIVE.magnitudes]
        for bit in _MIDDLE:
            ones = [index for index, (x, y) in enumerate(pairs) if (x * y) >> bit & 1]
            with m.Switch(codes), m.Case(*ones):
                m.d.comb += self.product[bit].eq(1)
        return m
