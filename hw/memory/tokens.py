"""Tokens: the six counters through which loader, compute and storer wait for each other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from ..spec.config import AcceleratorConfig
from ..spec.isa import Unit

__all__ = ["SIDES", "TOKEN_SIDE", "Tokens"]

SIDES = data.StructLayout({"prev": 1, "next": 1})
"""One bit for the unit before, one for the unit behind."""

TOKEN_SIDE = Signature({"has": In(SIDES), "take": Out(SIDES), "post": Out(SIDES)})
"""From a unit: ``has`` says for which of its neighbours it finds a token; ``take`` takes one each, ``post`` gives them
one each, in the same cycle or not."""


class Tokens(wiring.Component):
    """A ring of units with counters in both directions.

    ``units`` are in the order of `isa.Unit`. ``clear`` empties all counters. They cannot overflow: every instruction of
    a program runs once.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._bits = config.instructions.bit_length()
        super().__init__({"clear": In(1), "units": In(TOKEN_SIDE).array(len(Unit))})

    def elaborate(self, platform: object) -> Module:
        """Count up and down."""
        m = Module()
        for unit in Unit:
            before, behind = (unit - 1) % len(Unit), (unit + 1) % len(Unit)
            for side, given in (
                ("prev", self.units[before].post.next),
                ("next", self.units[behind].post.prev),
            ):
                count = Signal(self._bits, name=f"{unit.name.lower()}_{side}")
                with m.If(self.clear):
                    m.d.sync += count.eq(0)
                with m.Else():
                    m.d.sync += count.eq(count + given - self.units[unit].take[side])
                m.d.comb += self.units[unit].has[side].eq(Cat(count).any())
        return m
