"""DelayLine: a value some cycles later, through a block RAM instead of registers."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["DelayLine"]


class DelayLine(wiring.Component):
    """``y`` is ``x`` ``cycles`` cycles later.

    A reset does not clear what is under way. At power-up everything is zero, as in registers.

    Parameters
    ----------
    width : int
        Bits.
    cycles : int
        At least 2.
    """

    def __init__(self, *, width: int, cycles: int) -> None:
        if cycles < 2:
            raise ValueError(f"cycles must be at least 2, not {cycles!r}")
        self._width, self._cycles = width, cycles
        super().__init__({"x": In(width), "y": Out(width)})

    def elaborate(self, platform: object) -> Module:
        """A ring that is written and read in every cycle."""
        m = Module()
        index_bits = self._cycles.bit_length()
        attributes = {"ram_style": "block"}
        m.submodules.ring = ring = memory.Memory(shape=self._width, depth=1 << index_bits, init=[], attrs=attributes)
        write, read = ring.write_port(), ring.read_port(domain="sync")
        now = Signal(index_bits)
        m.d.sync += now.eq(now + 1)
        m.d.comb += [
            write.en.eq(1),
            write.addr.eq(now),
            write.data.eq(self.x),
            read.en.eq(1),
            read.addr.eq(now - (self._cycles - 1)),
            self.y.eq(read.data),
        ]
        return m
