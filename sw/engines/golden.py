"""The engine ``golden``: integer arithmetic on whole layers, which all others are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...sim.golden import GoldenModel
from ..linked import Linked
from ..program import Program
from ..runtime.resident import Turn
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

    def run_turns(self, linked: Linked, turns: Sequence[Turn], *, progress: Progress = silent) -> list[EngineRun]:
        """See :class:`~.engine.Engine`; all samples of a program are run in a row, which gives the same."""
        total, done = sum(len(turn.levels) for turn in turns), 0
        outputs: dict[int, dict[str, NDArray[np.int64]]] = {}
        for name, program in linked.items():
            own = [number for number, turn in enumerate(turns) if turn.name == name]
            if not own:
                continue
            found = self.run(program, np.concatenate([turns[number].levels for number in own])).outputs
            ends = np.cumsum([len(turns[number].levels) for number in own])[:-1]
            split = {tensor: np.split(levels, ends) for tensor, levels in found.items()}
            outputs |= {number: {name: split[name][at] for name in split} for at, number in enumerate(own)}
            done += sum(len(turns[number].levels) for number in own)
            progress(done, total)
        return [EngineRun(outputs=outputs[number]) for number in range(len(turns))]
