"""SdramStart: initialises an SDRAM chip through its controller's registers, without a processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Array, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

__all__ = ["CONTROL", "ControlWrite", "SdramStart"]

CONTROL = Signature(
    {
        "cyc": Out(1),
        "stb": Out(1),
        "we": Out(1),
        "adr": Out(30),
        "sel": Out(4),
        "dat_w": Out(32),
        "ack": In(1),
    }
)
"""Wishbone classic master that only writes; ``adr`` counts words of 32 bits."""


class ControlWrite(NamedTuple):
    """A write of a controller's register: its word address, what is written, and cycles to wait behind it."""

    adr: int
    data: int
    wait: int


class SdramStart(wiring.Component):
    """Carries out ``writes`` after a reset, one after the other; ``done`` is high from then on.

    Parameters
    ----------
    writes : sequence of ControlWrite
    """

    def __init__(self, writes: Sequence[ControlWrite]) -> None:
        self._writes = tuple(writes)
        super().__init__({"control": Out(CONTROL), "done": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """A table and two counters."""
        m = Module()
        writes, control = self._writes, self.control
        index = Signal(range(len(writes) + 1))
        wait = Signal(range(max(write.wait for write in writes) + 1))
        table = {name: Array(Const(getattr(write, name), bits) for write in writes) for name, bits in _COLUMNS.items()}
        m.d.comb += [
            self.done.eq(index == len(writes)),
            control.stb.eq(~self.done & (wait == 0)),
            control.cyc.eq(control.stb),
            control.we.eq(1),
            control.sel.eq(0b1111),
            control.adr.eq(table["adr"][index]),
            control.dat_w.eq(table["data"][index]),
        ]
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(control.stb & control.ack):
            m.d.sync += [index.eq(index + 1), wait.eq(table["wait"][index])]
        return m


_COLUMNS = {"adr": 30, "data": 32, "wait": 32}
