"""lock_wait: when what a clock generator clocks may begin."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value

__all__ = ["WAIT_CYCLES", "lock_wait"]

WAIT_CYCLES = 1 << 12
"""Cycles from the lock on: block RAMs of an iCE40 read zeros for some microseconds after configuration."""


def lock_wait(m: Module, domain: str, locked: Value) -> Signal:
    """Register that is high once ``locked``, which may change at any moment, has been high for `WAIT_CYCLES` cycles.

    Parameters
    ----------
    domain : str
        Without a reset; of a clock that may stumble until the lock, but then has not counted far.
    """
    seen, waited, running = Signal(2), Signal(range(WAIT_CYCLES)), Signal()
    m.d[domain] += seen.eq(seen << 1 | locked)
    with m.If(~seen[1]):
        m.d[domain] += [waited.eq(0), running.eq(0)]
    with m.Elif(waited == WAIT_CYCLES - 1):
        m.d[domain] += running.eq(1)
    with m.Else():
        m.d[domain] += waited.eq(waited + 1)
    return running
