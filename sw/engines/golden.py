"""The engine ``golden``: integer arithmetic on whole layers, which all others are held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...sim.golden import GoldenModel
from ..program import Program
from .engine import EngineName, EngineRun, Progress, silent

__all__ = ["GoldenEngine"]

_BATCH = 512


@dataclass(frozen=True)
class GoldenEngine:
    """The golden model, some samples at a time."""

    name: str = EngineName.GOLDEN

    def run(
        self,
        program: Program,
        levels: NDArray[np.int64],
        *,
        progress: Progress = silent,
        dump_layers: int = 0,
        keep_tensors: bool = False,
    ) -> EngineRun:
        """See :class:`~.engine.Engine`; cycles are not counted."""
        graph = program.graph
        written = [layer.output for layer in graph.layers] if keep_tensors else []
        held = [state.tensor for state in graph.states] if keep_tensors else []
        model, batches = GoldenModel(graph, program.config), []
        at_once = max(1, len(levels)) if graph.states else _BATCH  # a stream is one
        for start in range(0, len(levels), at_once):
            batches.append(model.run(levels[start : start + at_once], {*graph.output_tensors, *written, *held}))
            progress(min(start + at_once, len(levels)), len(levels))
        tensors = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        return EngineRun(
            outputs={name: tensors[name] for name in graph.output_tensors},
            tensors={name: tensors[name] for name in (*written, *held)},
        )
