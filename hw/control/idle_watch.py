"""IdleWatch: tells when a clock may stand still, because nothing changes behind it."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SETTLED_CYCLES", "IdleWatch"]

SETTLED_CYCLES = 64
"""From the last cycle in which there was work until all registers have come to rest; no core takes so long."""


class IdleWatch(wiring.Component):
    """``idle`` rises when for `SETTLED_CYCLES` cycles nothing was ``active`` and all was ``resting``, and falls in the
    cycle after one in which either is not so. It is a register, low after a reset.
    """

    def __init__(self) -> None:
        super().__init__({"active": In(1), "resting": In(1), "idle": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Count quiet cycles."""
        m = Module()
        count = Signal(range(SETTLED_CYCLES))
        with m.If(self.active | ~self.resting):
            m.d.sync += [count.eq(0), self.idle.eq(0)]
        with m.Elif(count == SETTLED_CYCLES - 1):
            m.d.sync += self.idle.eq(1)
        with m.Else():
            m.d.sync += count.eq(count + 1)
        return m
