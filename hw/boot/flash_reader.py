"""FlashReader: an SPI NOR flash memory as a stream of bytes."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from ..spec.boot import BYTE_ADDRESS_BITS, REST_CYCLES
from ..spec.config import AcceleratorConfig

__all__ = ["FLASH", "FlashReader"]

FLASH = Signature({"cs_n": Out(1, init=1), "sck": Out(1), "copi": Out(1), "cipo": In(1)})
"""To an SPI flash, mode 0, a bit at a time; all outputs are registers."""

_WAKE, _FAST_READ = 0xAB, 0x0B
_BYTE_BITS = 8
_DESELECTED_CYCLES = 32  # 160 ns at 200 MHz; chips ask for 10 to 100
_COMMAND_BITS = _BYTE_BITS + BYTE_ADDRESS_BITS + _BYTE_BITS  # the last ones are for the chip to get ready


class FlashReader(wiring.Component):
    """While ``run`` is high, the bytes of the flash from ``config.flash_offset`` on leave as ``bytes``; the clock stops
    where nobody takes them. When it falls the flash is deselected, and the next read begins at the offset again.

    After a reset the flash is first woken (0xAB) and left alone for `REST_CYCLES`: some FPGAs put it into deep
    power-down when they have read their bitstream, and any other command would be lost. Then each read is a fast one
    (0x0B), which chips take at any clock. ``resting`` is high once the flash is left alone, until ``run``.

    A bit takes ``2 * config.flash_divisor`` cycles. The flash shows its bits from the clock's falling edge on; each is
    taken with the next one, a whole period later, so pins and chip may take nearly so long.

    Parameters
    ----------
    config : AcceleratorConfig
        With ``boot``.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._offset = config.flash_offset
        self._divisor = config.flash_divisor
        super().__init__(
            {"pins": Out(FLASH), "run": In(1), "bytes": Out(stream.Signature(_BYTE_BITS)), "resting": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """One shift register each way, and one state for who owns it."""
        m = Module()
        pins, out = self.pins, Signal(_COMMAND_BITS)
        received, full = Signal(_BYTE_BITS), Signal()
        rest = Signal(range(REST_CYCLES), init=_DESELECTED_CYCLES - 1)
        half = Signal(range(max(self._divisor, 2)))
        left = Signal(range(_COMMAND_BITS + 1))  # bits of the command, or of a byte
        tick, falls, clocked, held = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            pins.copi.eq(out[-1]),
            self.bytes.payload.eq(received),
            self.bytes.valid.eq(full),
            tick.eq(clocked & (half == 0) & ~held),
            falls.eq(tick & pins.sck),
        ]
        with m.If(self.bytes.ready):
            m.d.sync += full.eq(0)
        with m.If(~clocked | tick):
            m.d.sync += half.eq(self._divisor - 1)
        with m.Elif(half != 0):
            m.d.sync += half.eq(half - 1)
        with m.If(tick):
            m.d.sync += pins.sck.eq(~pins.sck)
        with m.If(falls):
            m.d.sync += [out.eq(out << 1), received.eq(Cat(pins.cipo, received)), left.eq(left - 1)]
        command = Cat(Const(0, _BYTE_BITS), Const(self._offset, BYTE_ADDRESS_BITS), Const(_FAST_READ, _BYTE_BITS))
        woken = Signal()
        with m.FSM() as states:
            m.d.comb += self.resting.eq(states.ongoing("IDLE") & woken)
            with m.State("REST"):
                m.d.sync += rest.eq(rest - 1)
                with m.If(rest == 0):
                    m.next = "IDLE"
            with m.State("IDLE"):
                with m.If(~woken):
                    m.d.sync += [out[-_BYTE_BITS:].eq(_WAKE), left.eq(_BYTE_BITS), pins.cs_n.eq(0)]
                    m.next = "WAKE"
                with m.Elif(self.run):
                    m.d.sync += [out.eq(command), left.eq(_COMMAND_BITS), pins.cs_n.eq(0)]
                    m.next = "COMMAND"
            with m.State("WAKE"):
                m.d.comb += clocked.eq(left != 0)
                with m.If(left == 0):
                    m.d.sync += [pins.cs_n.eq(1), rest.eq(REST_CYCLES - 1), woken.eq(1)]
                    m.next = "REST"
            with m.State("COMMAND"):
                m.d.comb += clocked.eq(1)
                with m.If(falls & (left == 1)):
                    m.d.sync += left.eq(_BYTE_BITS)
                    m.next = "BYTES"
            with m.State("BYTES"):
                m.d.comb += [clocked.eq(self.run | pins.sck), held.eq(full & (left == _BYTE_BITS) & ~pins.sck)]
                with m.If(falls & (left == 1)):
                    m.d.sync += [full.eq(1), left.eq(_BYTE_BITS)]
                with m.If(~self.run & ~pins.sck):
                    m.d.sync += [pins.cs_n.eq(1), full.eq(0), rest.eq(_DESELECTED_CYCLES - 1)]
                    m.next = "REST"
        return m
