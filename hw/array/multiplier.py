"""Multiplier: magnitudes of two operands to the magnitude of their product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.lut import lut
from ..spec.config import AcceleratorConfig
from ..spec.formats import DyBit
from .operand import magnitude_layout

__all__ = ["Multiplier"]


@dataclass(frozen=True)
class _Table:
    """A function of up to four bits: bit ``inputs`` of ``table``, the first input in the low place.

    An input is ``x`` or ``w``, then ``:`` and a bit of the code, or the levels that set a predecoded bit; or the name
    of another table.
    """

    inputs: str
    table: int


# bits 2 to 5 tell too many levels apart for one table; `bench/product_tables.py` finds these with a SAT solver
_DYBIT4: Mapping[str, _Table] = MappingProxyType(
    {
        "0": _Table("x1_3 w1_3", 0x8),
        "1": _Table("x1_3 x2_3_6 w2_3_6 w1_3", 0x6CA0),
        "2g": _Table("x1_3 x1_4_6 w1_3 w1_4_6", 0xB59F),
        "2": _Table("2g x2_3_6 w2_3_6", 0x95),
        "3g": _Table("x:1 x2_3_6 w1_3 w2_3_6", 0x3DA8),
        "3h": _Table("x2_3_6 x1_3 w:0 w:1", 0x8C2A),
        "3": _Table("3g 3h x4_6_8 w4_6_8", 0x6C24),
        "4g": _Table("x:0 x:1 w8_16 w:0", 0xA9E3),
        "4h": _Table("x:1 x4_6_8 w8_16 w4_6_8", 0xAA7C),
        "4": _Table("4g 4h x:2 w2_3_6", 0x6828),
        "5g": _Table("x4_6_8 x2_3_6 w2_3_6 w4_6_8", 0x85A3),
        "5": _Table("5g x8_16 w2_3_6 w:1", 0x41E4),
        "6": _Table("x4_6_8 x8_16 w4_6_8 w8_16", 0x8240),
        "7": _Table("x4_6_8 x8_16 w4_6_8 w8_16", 0x4800),
        "8": _Table("x4_6_8 x8_16 w4_6_8 w8_16", 0x0400),
    }
)
"""Bits of a product of DyBit4 levels, and what they are made of."""

_INPUTS = 4


class Multiplier(wiring.Component):
    """``product = level(x) * level(w)``, all bits inverted if ``inverted``; combinational. Signs are not its business:
    the adder tree defers them.

    Integers are multiplied as such. Otherwise every product bit is a table of both codes, which is one look-up table of
    six inputs. For look-up tables of four inputs DyBit4 has predecoded bits, few enough to be made once for each
    operand: since a level is ``{1, 3} * 2**e``, most product bits tell no more than four classes of either operand
    apart, and the others come from two or three tables.

    Parameters
    ----------
    config : AcceleratorConfig
    first : bool
        Whether it is the first operand of an adder. In fabric ``xilinx`` the second one's tables are part of the
        adder where they have four inputs, so that only there predecoded bits are of use.
    """

    def __init__(self, config: AcceleratorConfig, *, first: bool) -> None:
        self._base, self._fabric, self._first = config.digits.base, config.fabric, first
        magnitude = magnitude_layout(self._base)
        super().__init__(
            {"x": In(magnitude), "w": In(magnitude), "inverted": In(1), "product": Out(config.product_bits)}
        )

    def elaborate(self, platform: object) -> Module:
        """Tables of predecoded bits or of codes."""
        m = Module()
        if not self._base.octaves:
            product: Value = (self.x.code * self.w.code)[: len(self.product)]
        else:
            product = Value.cast(Cat(self._bit(m, platform, bit) for bit in range(len(self.product))))
        m.d.comb += self.product.eq(product ^ self.inverted.replicate(len(product)))
        return m

    def _bit(self, m: Module, platform: object, bit: int) -> Value:
        if self._base == DyBit(4):
            composed = f"{bit}g" in _DYBIT4
            if self._fabric != "xilinx" or not (self._first or composed):
                return self._made(m, platform, str(bit))
        return self._of_codes(m, bit)

    def _of_codes(self, m: Module, bit: int) -> Value:
        value = Signal(name=f"bit{bit}")
        magnitudes = self._base.magnitudes
        pairs = [(x, w) for w in magnitudes for x in magnitudes]
        ones = [index for index, (x, w) in enumerate(pairs) if (x * w) >> bit & 1]
        with m.Switch(Cat(self.x.code, self.w.code)), m.Case(*ones):
            m.d.comb += value.eq(1)
        return value

    def _made(self, m: Module, platform: object, name: str) -> Value:
        table = _DYBIT4[name]
        inputs = [self._input(m, platform, source) for source in table.inputs.split()]
        return lut(m, platform, f"bit{name}", table.table, Cat(inputs))

    def _input(self, m: Module, platform: object, source: str) -> Value:
        if source in _DYBIT4:
            return self._made(m, platform, source)
        operand = self.x if source[0] == "x" else self.w
        if source[1] == ":":
            return operand.code[int(source[2:])]
        return operand[f"in_{source[1:]}"]
