"""SpiPeripheral: bytes of an SPI controller's, mode 0, the high bit first."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out, Signature

__all__ = ["SPI_PINS", "SpiPeripheral"]

SPI_PINS = Signature(
    {
        "cs_n": In(1, init=1),
        "sck": In(1),
        "copi": In(1),
        "cipo": Out(1),
        "cipo_oe": Out(1),
    }
)
"""Of a peripheral; ``cipo_oe`` is high while it drives ``cipo``."""

_DATA_BITS = 8


class SpiPeripheral(wiring.Component):
    """Bytes both ways, sampled with the core's clock: a period of ``sck`` takes at least `SPI_DIVISOR` cycles, half of
    them in each level, and ``cs_n`` changes no less than half a period before or behind its edges.

    ``data`` holds a byte for the one cycle in which ``valid`` is high, three cycles after its last rising edge.
    ``cipo`` changes three cycles after a falling edge. Behind every eighth one a byte is taken if ``tx_valid`` is high
    and goes out next, otherwise a 0; ``tx_ready`` is high in that cycle. Where ``active`` falls, bits of a byte
    that has begun are forgotten, both ways.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "pins": Out(SPI_PINS),
                "data": Out(_DATA_BITS),
                "valid": Out(1),
                "active": Out(1),
                "tx_data": In(_DATA_BITS),
                "tx_valid": In(1),
                "tx_ready": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One bit a period."""
        m = Module()
        deselected, clock, line = Signal(init=1), Signal(), Signal()
        m.submodules.synchronise_cs = FFSynchronizer(self.pins.cs_n, deselected, init=1)
        m.submodules.synchronise_sck = FFSynchronizer(self.pins.sck, clock)
        m.submodules.synchronise_copi = FFSynchronizer(self.pins.copi, line)
        was, bits, out = Signal(), Signal(range(_DATA_BITS)), Signal(_DATA_BITS)
        rises, falls = Signal(), Signal()
        m.d.comb += [
            self.active.eq(~deselected),
            rises.eq(clock & ~was),
            falls.eq(~clock & was),
            self.pins.cipo.eq(out[-1]),
            self.pins.cipo_oe.eq(~deselected),
            self.tx_ready.eq(falls & (bits == 0) & ~deselected),
        ]
        m.d.sync += [was.eq(clock), self.valid.eq(0)]
        with m.If(deselected):
            m.d.sync += [bits.eq(0), out.eq(0)]
        with m.Elif(rises):
            m.d.sync += [self.data.eq(Cat(line, self.data)), bits.eq(bits + 1), self.valid.eq(bits == _DATA_BITS - 1)]
        with m.Elif(falls):
            m.d.sync += out.eq(out << 1)
            with m.If(bits == 0):
                m.d.sync += out.eq(0)
                with m.If(self.tx_valid):
                    m.d.sync += out.eq(self.tx_data)
        return m
