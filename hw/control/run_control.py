"""RunControl, RunGate: how the host's registers start a run and see it end."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from ..spec.config import AcceleratorConfig
from ..spec.registers import core_faults
from .handout import index_bits

__all__ = ["FEEDING", "RunControl", "RunGate", "settings"]

FEEDING = Signature({"go": Out(1), "clear": Out(1), "busy": In(1), "ended": In(1)})
"""To a feeder: ``go`` and ``clear`` are pulses; ``busy`` is high from the cycle after ``go`` on, ``ended`` in its last
cycle, unless ``clear`` gave the frame up."""


def settings(config: AcceleratorConfig) -> tuple[str, ...]:
    """Members of `RunControl` that keep what the host has written: all between registers and sequencer pass them on."""
    return "config_matches", "watchdog", *(("entry",) if config.entry else ())


class RunControl(Signature):
    """From the registers to the sequencer: ``start`` and ``clear`` are pulses, ``starting`` is high with ``start`` and
    perhaps before; ``started`` is high with a ``start`` that begins a run. What it says of the run is the registers' to
    show. With a frame memory ``feed`` is a pulse, too, alone or with ``start``, which then waits until the frame is
    laid out; ``started`` is high with a ``feed`` that is heard. A run begins at instruction ``entry``, where the core
    has that, and at 0 elsewhere.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "start": Out(1),
                "starting": Out(1),
                "started": In(1),
                "clear": Out(1),
                **({"feed": Out(1)} if config.frame_bytes else {}),
                **({"entry": Out(index_bits(config))} if config.entry else {}),
                "config_matches": Out(1),
                "watchdog": Out(32),
                "busy": In(1),
                "done": In(1),
                "faulted": In(1),
                "fault": In(core_faults(config)),
                "fault_index": In(index_bits(config)),
                "cycles": In(32),
            }
        )


class RunGate(wiring.Component):
    """A run is over for the host, and another may start, when loader and storer are ``idle``, too. While ``busy`` the
    host has no access to memories. Combinational, but for what it keeps of a run that waits for its frame.

    With a frame memory a frame is laid out before the run that is to see it, in a core that is neither busy nor
    faulted; ``registers.done`` is low meanwhile. Where the host wrote to a memory meanwhile (``conflict``),
    ``host_fault`` is high once the run begins, as it is for a ``conflict`` of any other time.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "registers": In(RunControl(config)),
                "sequencer": Out(RunControl(config)),
                "idle": In(1, init=1),
                "busy": Out(1),
                "conflict": In(1),
                "host_fault": Out(1),
                **({"feeding": Out(FEEDING)} if config.frame_bytes else {}),
            }
        )
        self._config = config

    def elaborate(self, platform: object) -> Module:
        """Pass on what needs no gate."""
        m = Module()
        registers, sequencer = self.registers, self.sequencer
        if self._config.frame_bytes:
            self._feed(m)
        else:
            m.d.comb += [
                sequencer.start.eq(registers.start & self.idle),
                sequencer.starting.eq(registers.starting),
                registers.started.eq(sequencer.started),
                registers.done.eq(sequencer.done),
                registers.busy.eq(sequencer.busy | ~self.idle),
                self.host_fault.eq(self.conflict),
            ]
        for name in ("clear", *settings(self._config)):
            m.d.comb += getattr(sequencer, name).eq(getattr(registers, name))
        for name in ("faulted", "fault", "fault_index", "cycles"):
            m.d.comb += getattr(registers, name).eq(getattr(sequencer, name))
        m.d.comb += self.busy.eq(registers.busy | (registers.starting & ~sequencer.faulted))
        return m

    def _feed(self, m: Module) -> None:
        """A run waits for its frame."""
        registers, sequencer, feeding = self.registers, self.sequencer, self.feeding
        runs, spoilt = Signal(), Signal()
        free = self.idle & ~sequencer.busy & ~feeding.busy
        heard = registers.feed & free & (~sequencer.faulted | registers.clear)
        begins = feeding.ended & runs
        m.d.comb += [
            feeding.go.eq(heard),
            feeding.clear.eq(registers.clear & ~heard),
            sequencer.start.eq((registers.start & ~registers.feed & free) | begins),
            sequencer.starting.eq(registers.starting | begins),
            registers.started.eq(Mux(registers.feed, heard, sequencer.started & ~begins)),
            registers.done.eq(sequencer.done & ~feeding.busy),
            registers.busy.eq(sequencer.busy | ~self.idle | feeding.busy),
            self.host_fault.eq((self.conflict & ~feeding.busy) | (begins & (spoilt | self.conflict))),
        ]
        with m.If(heard):
            m.d.sync += [runs.eq(registers.start), spoilt.eq(0)]
        with m.Elif(self.conflict):
            m.d.sync += spoilt.eq(1)
