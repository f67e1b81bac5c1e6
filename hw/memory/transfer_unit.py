"""TransferUnit: loader or storer behind the queue of its instructions."""

from __future__ import annotations

from amaranth.hdl import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from ..cells.interfaces import hand_on, members_of
from ..control.handout import WINDOW, index_bits
from ..spec.config import AcceleratorConfig
from ..spec.registers import core_faults
from .loader import Loader
from .storer import Storer
from .tokens import TOKEN_SIDE
from .transfer_queue import TransferQueue, job_layout

__all__ = ["TransferState", "TransferUnit"]


class TransferState(Signature):
    """Of loader or storer: whether it is ``moving`` a transfer or ``idle``, with none to do, and what is wrong with the
    transfer at ``fault_index``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "moving": Out(1),
                "idle": Out(1),
                "fault": Out(core_faults(config)),
                "fault_index": Out(index_bits(config)),
            }
        )


class TransferUnit(wiring.Component):
    """Executes ``jobs`` one after the other, each when its tokens are there. ``cancel`` ends everything under way; what
    the bus has begun goes on behind it, to no effect, and the next transfer waits until that is over. ``settled`` is
    high when nothing is under way on the bus. ``state`` tells of a fault a cycle late, before its transfer can end.

    Parameters
    ----------
    config : AcceleratorConfig
    engine : Loader or Storer
        Its doors to memories and bus are those of the unit.
    doors : tuple of str
    """

    def __init__(self, config: AcceleratorConfig, engine: Loader | Storer, doors: tuple[str, ...]) -> None:
        self._config, self._engine, self._doors = config, engine, doors
        self._checks = ("check",) if config.is_protected and isinstance(engine, Storer) else ()
        super().__init__(
            {
                "jobs": In(stream.Signature(job_layout(config))),
                "cancel": In(1),
                "tokens": Out(TOKEN_SIDE),
                "window": In(WINDOW),
                "state": Out(TransferState(config)),
                "settled": Out(1),
                **members_of(engine, *doors, *self._checks),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Join the two."""
        m = Module()
        m.submodules.queue = queue = TransferQueue(self._config)
        m.submodules.engine = engine = self._engine
        hand_on(m, self, queue, "jobs", "tokens")
        hand_on(m, self, engine, *self._doors)
        m.d.comb += [
            queue.cancel.eq(self.cancel),
            queue.finished.eq(engine.finished),
            queue.settled.eq(engine.settled),
            engine.run.eq(queue.run),
            engine.job.eq(queue.job),
            engine.base.eq(self.window.base),
            engine.limit.eq(self.window.limit),
            self.settled.eq(engine.settled),
            self.state.moving.eq(queue.run),
            self.state.idle.eq(queue.empty),
        ]
        faults = core_faults(self._config)
        fault = Mux(engine.bus_error, faults.BUS, Mux(engine.outside, faults.WINDOW, faults.NONE))
        if self._checks:
            m.d.comb += self.check.eq(engine.check)
            fault = Mux(engine.check.damaged, faults.MEMORY_ERROR, fault)
        m.d.sync += [self.state.fault.eq(fault), self.state.fault_index.eq(queue.job.index)]
        return m
