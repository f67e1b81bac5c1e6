"""Tokens: the six counters through which loader, compute and storer wait for each other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..spec.config import AcceleratorConfig
from ..spec.isa import Unit

__all__ = ["SIDES", "Tokens"]

SIDES = data.StructLayout({"prev": 1, "next": 1})
"""One bit for the unit before, one for the unit behind."""


class Tokens(wiring.Component):
    """A ring of units with counters in both directions.

    ``has[u]`` says for which of its neighbours unit u finds a token; ``take[u]`` takes one each, ``post[u]`` gives them
    one each, in the same cycle or not. ``clear`` empties all counters. They cannot overflow: every instruction of a
    program runs once.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._bits = config.instructions.bit_length()
        sides = data.ArrayLayout(SIDES, len(Unit))
        super().__init__({"clear": In(1), "has": Out(sides), "take": In(sides), "post": In(sides)})

    def elaborate(self, platform: object) -> Module:
        """Count up and down."""
        m = Module()
        for unit in Unit:
            before, behind = (unit - 1) % len(Unit), (unit + 1) % len(Unit)
            for side, given in (("prev", self.post[before].next), ("next", self.post[behind].prev)):
                count = Signal(self._bits, name=f"{unit.name.lower()}_{side}")
                with m.If(self.clear):
                    m.d.sync += count.eq(0)
                with m.Else():
                    m.d.sync += count.eq(count + given - self.take[unit][side])
                m.d.comb += self.has[unit][side].eq(Cat(count).any())
        return m
