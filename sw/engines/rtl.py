"""The engine ``rtl``: the core's Verilog in a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.core_verilog import CoreVerilog
from ...sim.cosim.core_source import WrittenOnDemand
from ...sim.cosim.inference import run_program, run_resident
from ..linked import Linked
from ..program import Program
from ..runtime.resident import Turn
from .engine import EngineName, EngineRun, Progress, Simulator, machine_run, silent

__all__ = ["RtlEngine"]


@dataclass(frozen=True)
class RtlEngine:
    """The simulated Verilog behind the ordinary driver.

    Parameters
    ----------
    simulator : str
        One of `Simulator`.
    verilog : WrittenOnDemand, optional
        In place of the Verilog of the program's own core.
    """

    simulator: str = Simulator.VERILATOR
    verilog: WrittenOnDemand | None = None
    name: str = EngineName.RTL

    def run(
        self,
        program: Program,
        levels: NDArray[np.int64],
        *,
        progress: Progress = silent,
        dump_layers: int = 0,
        keep_tensors: bool = False,
    ) -> EngineRun:
        """See :class:`~.engine.Engine`."""
        result = run_program(
            program,
            levels,
            verilog=self.verilog or CoreVerilog(program.config),
            simulator=self.simulator,
            dump_layers=dump_layers,
            progress=progress,
        )
        return machine_run(result.record, sim_cycles=result.sim_cycles, wall_seconds=result.wall_seconds)

    def run_turns(self, linked: Linked, turns: Sequence[Turn], *, progress: Progress = silent) -> list[EngineRun]:
        """See :class:`~.engine.Engine`; cycles and seconds of the simulation are those of all turns."""
        verilog = self.verilog or CoreVerilog(linked.config)
        results = run_resident(linked, turns, verilog=verilog, simulator=self.simulator, progress=progress)
        return [
            machine_run(result.record, sim_cycles=result.sim_cycles, wall_seconds=result.wall_seconds)
            for result in results
        ]
