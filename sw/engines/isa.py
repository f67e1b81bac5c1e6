"""The engine ``isa``: the model of the machine, which executes the encoded program and counts cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...sim.isa_transport import IsaTransport
from ...sim.store_size import store_bytes
from ..cores import one_thread
from ..linked import Linked
from ..program import Program
from ..runtime import run_sync
from ..runtime.resident import Turn, run_turns
from ..runtime.samples import run_samples
from .engine import EngineName, EngineRun, Progress, machine_run, silent

__all__ = ["IsaEngine"]


@dataclass(frozen=True)
class IsaEngine:
    """The instruction-set model behind the ordinary driver."""

    name: str = EngineName.ISA

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
        transport = IsaTransport(program.config, store_bytes=store_bytes(program.window_bytes))
        samples = run_samples(transport, program, levels, dump_layers=dump_layers, progress=progress)
        with one_thread(exact=True):
            return machine_run(run_sync(samples))

    def run_turns(self, linked: Linked, turns: Sequence[Turn], *, progress: Progress = silent) -> list[EngineRun]:
        """See :class:`~.engine.Engine`."""
        transport = IsaTransport(linked.config, store_bytes=store_bytes(linked.window_bytes))
        with one_thread(exact=True):
            records = run_sync(run_turns(transport, linked, turns, progress=progress))
        return [machine_run(record) for record in records]
