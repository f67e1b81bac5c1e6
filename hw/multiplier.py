"""Multiplier: magnitudes of two operands to the magnitude of their product."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .operand import magnitude_layout
from .spec.config import AcceleratorConfig
from .spec.formats import DyBit

__all__ = ["Multiplier"]


class Multiplier(wiring.Component):
    """``product = level(a) * level(b)``; combinational. Signs are not its business: the adder tree defers them.

    Integers are multiplied as such. Otherwise every product bit is a table of both codes, except where predecoded bits
    do better: a DyBit4 level is ``{1, 3} * 2**e``, so a product bit is set by few pairs of levels, and most bits tell
    no more than four classes of either operand apart: with two predecoded bits for the class they are functions of four
    inputs.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._base = config.digits.base
        magnitude = magnitude_layout(self._base)
        super().__init__({"a": In(magnitude), "b": In(magnitude), "product": Out(config.product_bits)})

    def elaborate(self, platform: object) -> Module:
        """Small functions of predecoded bits, and tables of both codes for the other bits."""
        m = Module()
        bits = range(len(self.product))
        if self._base.kind == "int":
            m.d.comb += self.product.eq(self.a.code * self.b.code)
        elif self._base == DyBit(4):
            self._table(m, bits[3:6])
            self._from_predecoded(m)
        else:
            self._table(m, bits)
        return m

    def _table(self, m: Module, bits: range) -> None:
        codes = Signal(2 * len(self.a.code))
        m.d.comb += codes.eq(Cat(self.a.code, self.b.code))
        magnitudes = self._base.magnitudes
        pairs = [(x, y) for y in magnitudes for x in magnitudes]
        for bit in bits:
            ones = [index for index, (x, y) in enumerate(pairs) if (x * y) >> bit & 1]
            with m.Switch(codes), m.Case(*ones):
                m.d.comb += self.product[bit].eq(1)

    def _from_predecoded(self, m: Module) -> None:
        """Bits 0 to 2 and 6 to 8 of a product of DyBit4 levels."""
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
