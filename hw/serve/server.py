"""StreamServer: runs the core on every frame of a stream and gives its answers, without a host."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, connect, flipped

from ..cells.interfaces import HOST_WRITE, STREAM_BYTE, STREAMING, members_of
from ..control.run_control import RunControl, settings
from ..spec.config import AcceleratorConfig
from .receiver import FrameReceiver
from .sender import AnswerSender

__all__ = ["StreamServer"]

_SETTLE = 12
"""Cycles in which the memories are closed to the host before a run begins: what it wrote before is stored then."""

_HELD = 64
"""Bytes of answers that wait for who takes them, while the next run goes on."""


class StreamServer(wiring.Component):
    """Stands between registers and run gate. While ``streaming.enable`` is high, each frame of ``frames`` is run when
    the one before is answered, and its answer leaves on ``answers``: in their order, one for a frame, an error where a
    frame has another length, its run stops with a fault or the host gives it up (CLEAR). A fault is forgotten when the
    next frame is run. The next frame is taken meanwhile.

    Starts of the host are not heard while ``enable`` is high, and its writes of a frame go nowhere. ``occupied`` is
    high from `_SETTLE` cycles before a run until its answer is read: the host has no access to memories, as in a run.
    ``resting`` is high while no whole frame is here and all answers are taken.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._sender = AnswerSender(config)
        super().__init__(
            {
                "registers": In(RunControl(config)),
                "run": Out(RunControl(config)),
                "streaming": In(STREAMING),
                "occupied": Out(1),
                "resting": Out(1),
                "host_frame": In(HOST_WRITE),
                "frame": Out(HOST_WRITE),
                "answer": In(HOST_WRITE),
                "frames": In(stream.Signature(STREAM_BYTE)),
                "answers": Out(stream.Signature(STREAM_BYTE)),
                **members_of(self._sender, "reading", "offset", "beat"),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A frame waits, is run, is answered."""
        m = Module()
        m.submodules.receiver = receiver = FrameReceiver(self._config)
        m.submodules.sender = sender = self._sender
        m.submodules.held = held = SyncFIFOBuffered(width=STREAM_BYTE.size, depth=_HELD)
        connect(m, flipped(self.frames), receiver.bytes)
        connect(m, flipped(self.answer), sender.host)
        enable, go = self.streaming.enable, Signal()
        m.d.comb += [
            receiver.enable.eq(enable),
            receiver.counted.eq(self.streaming.counted),
            receiver.size.eq(sender.size),
            self.reading.eq(sender.reading),
            self.offset.eq(sender.offset),
            sender.beat.eq(self.beat),
            held.w_en.eq(sender.bytes.valid),
            held.w_data.eq(sender.bytes.payload),
            sender.bytes.ready.eq(held.w_rdy),
            self.answers.valid.eq(held.r_rdy),
            self.answers.payload.eq(held.r_data),
            held.r_en.eq(self.answers.ready),
        ]
        self._gate(m, go)
        host, own = self.host_frame, receiver.frame
        for name in HOST_WRITE.members:
            m.d.comb += getattr(self.frame, name).eq(getattr(host, name))
            with m.If(enable):
                m.d.comb += getattr(self.frame, name).eq(getattr(own, name))

        bad = receiver.short | receiver.long
        settled, spoilt = Signal(range(_SETTLE)), Signal()
        happened = Signal(len(self.streaming.wrong))
        with m.If(self.streaming.forget):
            m.d.sync += self.streaming.wrong.eq(0)
        with m.Else():
            m.d.sync += self.streaming.wrong.eq(self.streaming.wrong | happened)
        with m.FSM() as states:
            with m.State("wait"):
                m.d.sync += [settled.eq(0), spoilt.eq(0)]
                with m.If(enable & receiver.full & ~self.run.busy):
                    m.next = "settle"
                    with m.If(bad):
                        m.next = "answer"
                        m.d.sync += spoilt.eq(1)
                        m.d.comb += [receiver.taken.eq(1), happened.eq(Cat(receiver.short, receiver.long))]
            with m.State("settle"):
                at_end = settled == _SETTLE - 1
                m.d.sync += settled.eq(settled + ~at_end)
                with m.If(~receiver.full):  # the streams were closed
                    m.next = "wait"
                with m.Elif(at_end & ~self.registers.clear & ~self.run.busy):
                    m.d.comb += [go.eq(1), receiver.taken.eq(1)]
                    m.next = "run"
            with m.State("run"):
                with m.If(self.registers.clear):
                    m.d.sync += spoilt.eq(1)
                with m.If(~self.run.busy):
                    m.d.sync += spoilt.eq(spoilt | self.run.faulted | self.registers.clear)
                    m.d.comb += happened[2].eq(spoilt | self.run.faulted | self.registers.clear)
                    m.next = "answer"
            with m.State("answer"):
                m.d.comb += [sender.go.eq(1), sender.failed.eq(spoilt)]
                with m.If(~sender.busy):
                    m.next = "read"
            with m.State("read"), m.If(~sender.reading):
                m.next = "wait"
        m.d.comb += [
            self.occupied.eq(~states.ongoing("wait")),
            self.resting.eq(~self.occupied & ~receiver.full & ~sender.busy & ~self.answers.valid),
        ]
        return m

    def _gate(self, m: Module, go: Signal) -> None:
        """Pass the registers' side on, with starts of its own in place of the host's."""
        registers, run, open_ = self.registers, self.run, ~self.streaming.enable
        m.d.comb += [
            run.start.eq((registers.start & open_) | go),
            run.feed.eq((registers.feed & open_) | go),
            run.clear.eq(registers.clear | go),
            run.starting.eq((registers.starting & open_) | go),
            registers.busy.eq(run.busy | self.occupied),
        ]
        for name in settings(self._config):
            m.d.comb += getattr(run, name).eq(getattr(registers, name))
        for name in ("started", "done", "faulted", "fault", "fault_index", "cycles"):
            m.d.comb += getattr(registers, name).eq(getattr(run, name))
