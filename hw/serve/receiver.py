"""FrameReceiver: a stream of bytes, gathered to the words of a frame; short and long frames are passed over."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..cells.interfaces import HOST_WRITE, STREAM_BYTE
from ..spec.config import AcceleratorConfig
from ..spec.feed import FRAME_WORD_BYTES

__all__ = ["FrameReceiver"]


class FrameReceiver(wiring.Component):
    """Takes a byte a cycle while ``enable`` is high. Behind a frame's last byte ``full`` is high, and nothing is taken,
    until the cycle in which ``taken`` is.

    A frame has ``size`` + 1 bytes. One that ends early sets ``short`` beside ``full``, one that goes on ``long``, once
    its ``last`` or an abort has come: so the next byte is again the first of a frame. If ``counted``, ``last`` is not
    looked at.
    While ``enable`` is low what there is of a frame is forgotten, and so is one that is whole but not taken.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._place_bits = (config.frame_bytes - 1).bit_length()
        super().__init__(
            {
                "enable": In(1),
                "counted": In(1),
                "size": In(self._place_bits),
                "bytes": In(stream.Signature(STREAM_BYTE)),
                "frame": Out(HOST_WRITE),
                "full": Out(1),
                "short": Out(1),
                "long": Out(1),
                "taken": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A word is written with its last byte, or the frame's."""
        m = Module()
        place, beyond = Signal(self._place_bits), Signal()
        word = Signal(8 * (FRAME_WORD_BYTES - 1), reset_less=True)
        byte, within = self.bytes.payload.byte, place[:2]
        at_end = place == self.size
        beat, ends, under_way = self.bytes.valid & self.bytes.ready, Signal(), (place != 0) | beyond
        taken, gives_up = (
            beat & ~self.bytes.payload.error,
            beat & self.bytes.payload.error & (under_way | self.bytes.payload.last),
        )
        m.d.comb += [
            self.bytes.ready.eq(self.enable & ~self.full),
            ends.eq((self.bytes.payload.last & ~self.counted) | (at_end & self.counted)),
            self.frame.offset.eq(place[2:]),
        ]
        with m.Switch(within):
            for count in range(FRAME_WORD_BYTES):
                with m.Case(count):
                    m.d.comb += self.frame.data.eq(Cat(word[: 8 * count], byte))
                    if count < FRAME_WORD_BYTES - 1:
                        with m.If(taken):
                            m.d.sync += word[8 * count : 8 * (count + 1)].eq(byte)
        m.d.comb += self.frame.enable.eq(taken & ~beyond & ((within == FRAME_WORD_BYTES - 1) | at_end))
        with m.If(taken):
            m.d.sync += place.eq(place + 1)
            with m.If(at_end):
                m.d.sync += beyond.eq(1)
            with m.If(ends):
                m.d.sync += [
                    place.eq(0),
                    beyond.eq(0),
                    self.full.eq(1),
                    self.short.eq(~at_end & ~beyond),
                    self.long.eq(beyond),
                ]
        with m.If(gives_up):
            m.d.sync += [place.eq(0), beyond.eq(0), self.full.eq(1), self.short.eq(~beyond), self.long.eq(beyond)]
        with m.If(self.taken | ~self.enable):
            m.d.sync += self.full.eq(0)
        with m.If(~self.enable):
            m.d.sync += [place.eq(0), beyond.eq(0)]
        return m
