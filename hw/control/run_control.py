"""RunControl, RunGate: how the host's registers start a run and see it end."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from ..spec.config import AcceleratorConfig
from ..spec.registers import Fault
from .handout import index_bits

__all__ = ["RunControl", "RunGate"]


class RunControl(Signature):
    """From the registers to the sequencer: ``start`` and ``clear`` are pulses, ``starting`` is high with ``start`` and
    perhaps before; ``started`` is high with a ``start`` that begins a run. What it says of the run is the registers' to
    show.

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
                "config_matches": Out(1),
                "watchdog": Out(32),
                "busy": In(1),
                "done": In(1),
                "faulted": In(1),
                "fault": In(Fault),
                "fault_index": In(index_bits(config)),
                "cycles": In(32),
            }
        )


class RunGate(wiring.Component):
    """A run is over for the host, and another may start, when loader and storer are ``idle``, too. While ``busy`` the
    host has no access to memories. Combinational.

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
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Pass on what needs no gate."""
        m = Module()
        registers, sequencer = self.registers, self.sequencer
        for name in ("starting", "clear", "config_matches", "watchdog"):
            m.d.comb += getattr(sequencer, name).eq(getattr(registers, name))
        for name in ("started", "done", "faulted", "fault", "fault_index", "cycles"):
            m.d.comb += getattr(registers, name).eq(getattr(sequencer, name))
        m.d.comb += [
            sequencer.start.eq(registers.start & self.idle),
            registers.busy.eq(sequencer.busy | ~self.idle),
            self.busy.eq(registers.busy | (registers.starting & ~sequencer.faulted)),
        ]
        return m
