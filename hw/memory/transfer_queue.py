"""TransferQueue: instructions of loader or storer in order, each held back until its tokens are there."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from ..spec.config import AcceleratorConfig
from ..spec.isa import LOAD
from ..spec.transfer import QUEUE_DEPTH
from .tokens import SIDES, TOKEN_SIDE

__all__ = ["TransferQueue", "job_layout"]

_FIELDS = ("memory", "address", "pitch", "external", "count", "lines", "external_pitch")


def job_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Fields of a LOAD or STORE (`isa.LOAD`), its tokens, and its place in the program."""
    return data.StructLayout(
        {name: LOAD[name].width for name in _FIELDS}
        | {"wait": SIDES, "post": SIDES, "index": max(1, (config.instructions - 1).bit_length())}
    )


class TransferQueue(wiring.Component):
    """Takes what comes in through ``jobs``; hands it on one at a time.

    ``run`` is high from the cycle after the job's tokens were taken until ``finished`` is high, when its tokens are
    given; ``job`` holds it, also afterwards. No job begins while ``settled`` is low. ``cancel`` empties the queue and
    ends a run without tokens.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._layout = job_layout(config)
        super().__init__(
            {
                "jobs": In(stream.Signature(self._layout)),
                "cancel": In(1),
                "tokens": Out(TOKEN_SIDE),
                "run": Out(1),
                "job": Out(self._layout),
                "finished": In(1),
                "settled": In(1),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A FIFO, and one job behind it."""
        m = Module()
        width = self._layout.size
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=width, depth=QUEUE_DEPTH)
        waiting = data.View(self._layout, queue.r_data)
        begin = Signal()
        missing = waiting.wait.as_value() & ~self.tokens.has.as_value()
        m.d.comb += [
            queue.w_data.eq(self.jobs.payload.as_value()),
            queue.w_en.eq(self.jobs.valid),
            self.jobs.ready.eq(queue.w_rdy),
            begin.eq(queue.r_rdy & ~self.run & ~missing.any() & self.settled & ~self.cancel),
            queue.r_en.eq(begin | self.cancel),
            self.empty.eq(~queue.r_rdy & (queue.level == 0) & ~self.run),
        ]
        with m.If(begin):
            m.d.comb += self.tokens.take.eq(waiting.wait.as_value())
            m.d.sync += [self.job.eq(waiting), self.run.eq(1)]
        with m.If(self.run & (self.finished | self.cancel)):
            m.d.sync += self.run.eq(0)
            with m.If(~self.cancel):
                m.d.comb += self.tokens.post.eq(self.job.post.as_value())
        return m
