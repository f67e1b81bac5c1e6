"""UartStreams: frames and answers as bare bytes on a UART, for a board that serves without a host."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..cells.interfaces import STREAM_BYTE
from ..ports.uart import UartReceiver, UartTransmitter
from ..spec.link import GAP_BITS

__all__ = ["ANSWERED", "NOT_ANSWERED", "UartStreams"]

ANSWERED, NOT_ANSWERED = 0x00, 0x01
"""First byte of what is sent for a frame: an answer's bytes follow, or nothing."""


class UartStreams(wiring.Component):
    """Bytes of frames from ``rx``, for a core that counts them (`Stream.COUNTED`); to ``tx`` for each frame a byte that
    is `ANSWERED` or `NOT_ANSWERED`, behind the former the answer.

    A frame whose byte was lost or broken, or that pauses for ``gap`` bits, is spoilt: nothing more of it is passed on
    until the line was quiet for so long, and then an abort. So is one that comes while two others wait. ``active`` is
    high from a start bit on, so long before ``frames`` has something, and until nothing more is to come.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, at least 4.
    gap : int
        Bit times.
    """

    def __init__(self, *, divisor: int, gap: int = GAP_BITS) -> None:
        self._divisor, self._gap = divisor, gap
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "frames": Out(stream.Signature(STREAM_BYTE)),
                "answers": In(stream.Signature(STREAM_BYTE)),
                "active": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A byte is held until it is taken; a byte that comes before that is lost."""
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(divisor=self._divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self._divisor)
        frames, answers = self.frames, self.answers
        quiet, spoilt, pending = Signal(range(self._gap + 1)), Signal(), Signal()
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.active.eq(receiver.active | pending | frames.valid),
        ]
        lost = receiver.broken | (receiver.valid & frames.valid & ~frames.ready)
        with m.If(frames.ready):
            m.d.sync += frames.valid.eq(0)
        with m.If(receiver.valid & ~spoilt & ~lost):
            m.d.sync += [frames.valid.eq(1), frames.payload.eq(receiver.data)]
        with m.If(lost):
            m.d.sync += spoilt.eq(1)
        with m.If(receiver.active | receiver.valid | receiver.broken):
            m.d.sync += [quiet.eq(0), pending.eq(1)]
        with m.Elif(transmitter.tick & (quiet != self._gap)):
            m.d.sync += quiet.eq(quiet + 1)
        with m.Elif((quiet == self._gap) & pending & (~frames.valid | frames.ready)):
            # where a byte was lost, it may have been the frame's only one so far
            m.d.sync += [frames.valid.eq(1), frames.payload.error.eq(1), frames.payload.last.eq(spoilt)]
            m.d.sync += [spoilt.eq(0), pending.eq(0)]

        told = Signal()  # the first byte of this answer is sent
        with m.If(transmitter.ready & answers.valid):
            with m.If(told):
                m.d.comb += answers.ready.eq(1)
                m.d.sync += told.eq(~answers.payload.last)
            with m.Else():
                m.d.comb += answers.ready.eq(answers.payload.error)
                m.d.sync += told.eq(~answers.payload.error)
        m.d.comb += transmitter.valid.eq(answers.valid)
        with m.If(told):
            m.d.comb += transmitter.data.eq(answers.payload.byte)
        with m.Else():
            m.d.comb += transmitter.data.eq(Mux(answers.payload.error, NOT_ANSWERED, ANSWERED))
        return m
