"""The engine of a core in this computer's memory map, as on a Zynq."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..linked import Linked
from ..program import Program
from ..runtime import run_sync
from ..runtime.mapped import open_mapped
from ..runtime.resident import Turn, run_turns
from ..runtime.samples import run_samples
from .engine import EngineRun, Progress, machine_run, silent

__all__ = ["MappedEngine"]


@dataclass(frozen=True)
class MappedEngine:
    """A core behind AXI4-Lite or the like, and the ordinary driver.

    Parameters
    ----------
    name : str
        Its place, as `open_mapped` takes it.
    """

    name: str

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
        transport = open_mapped(self.name)
        samples = run_samples(transport, program, levels, dump_layers=dump_layers, progress=progress)
        return machine_run(run_sync(samples))

    def run_turns(self, linked: Linked, turns: Sequence[Turn], *, progress: Progress = silent) -> list[EngineRun]:
        """See :class:`~.engine.Engine`."""
        records = run_sync(run_turns(open_mapped(self.name), linked, turns, progress=progress))
        return [machine_run(record) for record in records]
