"""Multiplier: magnitudes of two operands to the magnitude of their product."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.lut import choose, lut
from ..cells.netlist import LookupTable, NetlistPlatform
from ..spec.config import AcceleratorConfig
from .operand import act_operand, predecoded_name, weight_operand
from .tables import CHOICE, product_tables

__all__ = ["Multiplier"]


class Multiplier(wiring.Component):
    """``product = level(x) * level(w)``, all bits inverted if ``inverted``; combinational. Signs are not its business:
    the adder tree defers them.

    Integers are multiplied as such, and a weight of one level lets the activation pass. Otherwise every product bit is
    a table of both codes, which is one look-up table of six inputs at most where codes have up to 4 bits. For look-up
    tables of four inputs there are predecoded bits, few enough to be made once for each operand: most product bits tell
    no more than four classes of either operand apart (`tables`).

    Parameters
    ----------
    config : AcceleratorConfig
    first : bool
        Whether it is the first operand of an adder. In fabric ``xilinx`` the second one's tables are part of the
        adder where they have four inputs, so that only there predecoded bits are of use.
    masked : bool
        Whether what adds the product masks it: the product then is ``product & mask``, and ``inverted`` is 0.
    """

    def __init__(self, config: AcceleratorConfig, *, first: bool, masked: bool = False) -> None:
        self._fabric, self._first, self._masked = config.fabric, first, masked
        self._acts, self._weights = act_operand(config), weight_operand(config)
        self._tables = product_tables(self._weights.base, self._acts.base, masked=masked)
        super().__init__(
            {
                "x": In(self._acts.magnitude),
                "w": In(self._weights.magnitude),
                "inverted": In(1),
                "product": Out(config.product_bits),
                **({"mask": Out(config.product_bits)} if masked else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Tables of predecoded bits or of codes, a product of integers, or a mask."""
        if isinstance(platform, NetlistPlatform) and self._is_tables:
            form = "_masked" * self._masked + "_first" * (self._first and self._fabric == "xilinx")
            instance = platform.instance(self, f"narrows_multiplier{form}", self._table())
            if instance is not None:
                return instance
        m = Module()
        width = len(self.product)
        mask = [Const(1)] * width
        if self._weights.base.top == 1:
            level, passes = self._acts.level_of(self.x), self.w.code[0].replicate(width)
            product, mask = (level, passes) if self._masked else (level & passes, mask)
        elif not self._is_tables:
            product = (self._acts.level_of(self.x) * self._weights.level_of(self.w))[:width]
        else:
            product = Value.cast(Cat(self._bit(m, platform, bit) for bit in range(width)))
            masks = (self._tables[str(bit)].mask if str(bit) in self._tables else "" for bit in range(width))
            mask = [self._input(m, platform, source) if source else Const(1) for source in masks]
        if self._masked:
            m.d.comb += [self.product.eq(product), self.mask.eq(Cat(mask))]
        else:
            m.d.comb += self.product.eq(product ^ self.inverted.replicate(width))
        return m

    @property
    def _is_tables(self) -> bool:
        acts, weights = self._acts.base, self._weights.base
        return weights.top > 1 and not acts.whole and bool(acts.octaves or weights.octaves)

    def _table(self) -> LookupTable:
        """The product of each pair of codes, masked already."""
        products = [w * x for w in self._weights.base.magnitudes for x in self._acts.base.magnitudes]
        return LookupTable(
            inputs={"x": self._acts.base.magnitude_bits, "w": self._weights.base.magnitude_bits},
            outputs={
                "product": tuple(products),
                **({"mask": ((1 << len(self.product)) - 1,) * len(products)} if self._masked else {}),
            },
            inverted={"product": "inverted"},
        )

    def _bit(self, m: Module, platform: object, bit: int) -> Value:
        if str(bit) in self._tables:
            composed = f"{bit}g" in self._tables
            if self._fabric != "xilinx" or not (self._first or composed):
                return self._made(m, platform, str(bit))
        return self._of_codes(m, bit)

    def _of_codes(self, m: Module, bit: int) -> Value:
        value = Signal(name=f"bit{bit}")
        pairs = [(x, w) for w in self._weights.base.magnitudes for x in self._acts.base.magnitudes]
        ones = [index for index, (x, w) in enumerate(pairs) if (x * w) >> bit & 1]
        with m.Switch(Cat(self.x.code, self.w.code)), m.Case(*ones):
            m.d.comb += value.eq(1)
        return value

    def _made(self, m: Module, platform: object, name: str) -> Value:
        table = self._tables[name]
        inputs = [self._input(m, platform, source) for source in table.inputs.split()]
        if len(inputs) == 1 and table.table == 0b10:
            return inputs[0]
        if table.table == CHOICE:
            return choose(m, platform, f"bit{name}", Cat(inputs[:2]), inputs[2])
        return lut(m, platform, f"bit{name}", table.table, Cat(inputs))

    def _input(self, m: Module, platform: object, source: str) -> Value:
        if source in self._tables:
            return self._made(m, platform, source)
        operand = self.x if source[0] == "x" else self.w
        if source[1] == ":":
            return operand.code[int(source[2:])]
        return operand[predecoded_name(tuple(map(int, source[1:].split("_"))))]
