"""UartReceiver and UartTransmitter: bytes on a line, 8 data bits, no parity, one stop bit."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["UartReceiver", "UartTransmitter"]

_DATA_BITS = 8


class UartReceiver(wiring.Component):
    """Bytes from a line.

    ``data`` holds the byte for the one cycle in which ``valid`` is high, in the middle of its stop bit; no
    back-pressure. Where the stop bit is missing, ``broken`` is high for a cycle instead, and nothing is received before
    the line was high again. ``active`` is high from a start bit to the stop bit. A start bit shorter than half a bit is
    ignored.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, at least 4.
    """

    def __init__(self, *, divisor: int) -> None:
        self._divisor = divisor
        super().__init__(
            {"rx": In(1, init=1), "data": Out(_DATA_BITS), "valid": Out(1), "broken": Out(1), "active": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """Sample in the middle of each bit, counted from the start bit's edge."""
        m = Module()
        line, was = Signal(init=1), Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, line, init=1)
        wait = Signal(range(self._divisor))
        left = Signal(range(_DATA_BITS + 3))  # samples: start bit, data bits, stop bit
        m.d.sync += was.eq(line)
        m.d.comb += self.active.eq(left != 0)
        with m.If(left == 0), m.If(was & ~line):
            m.d.sync += [left.eq(_DATA_BITS + 2), wait.eq(self._divisor // 2 - 1)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [wait.eq(self._divisor - 1), left.eq(left - 1)]
            with m.If(left == 1):
                m.d.comb += [self.valid.eq(line), self.broken.eq(~line)]
            with m.Else():
                m.d.sync += self.data.eq(Cat(self.data[1:], line))
            with m.If((left == _DATA_BITS + 2) & line):
                m.d.sync += left.eq(0)
        return m


class UartTransmitter(wiring.Component):
    """Bytes to a line.

    A byte is taken in a cycle in which ``valid`` and ``ready`` are high. Its start bit begins at the next ``tick``,
    which is high for one cycle of each bit time, always; ``ready`` is high again when its stop bit begins, so that
    bytes can follow each other without a pause.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, at least 4.
    """

    def __init__(self, *, divisor: int) -> None:
        self._divisor = divisor
        super().__init__(
            {"tx": Out(1, init=1), "data": In(_DATA_BITS), "valid": In(1), "ready": Out(1), "tick": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """One bit a tick."""
        m = Module()
        wait = Signal(range(self._divisor))
        bits = Signal(_DATA_BITS + 2)
        left = Signal(range(_DATA_BITS + 3))
        # whether the counters are at 0, known a cycle ahead: the link hangs on both
        tick, idle = Signal(init=1), Signal(init=1)
        m.d.comb += [self.tick.eq(tick), self.ready.eq(idle)]
        m.d.sync += [wait.eq(wait - 1), tick.eq(wait == 1)]
        with m.If(tick):
            m.d.sync += wait.eq(self._divisor - 1)
        with m.If(idle & self.valid):
            m.d.sync += [bits.eq(Cat(0, self.data, 1)), left.eq(_DATA_BITS + 2), idle.eq(0)]
        with m.Elif(tick & ~idle):
            m.d.sync += [self.tx.eq(bits[0]), bits.eq(bits[1:]), left.eq(left - 1), idle.eq(left == 1)]
        return m
