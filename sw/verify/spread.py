"""run_samples: samples on an engine, all in one run, or in parts that workers run at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engines import EngineName, EngineRun, find_engine
from ..program import Program
from ..tasks import Workers, in_order

__all__ = ["run_samples"]

_PARTS = 32
"""Of the samples, at most: each loads the program anew."""


def run_samples(
    program: Program,
    levels: NDArray[np.int64],
    engine: EngineName,
    *,
    simulator: str,
    progress: Callable[[int, int], None],
    workers: Workers,
) -> EngineRun:
    """Run samples of shape (N, C, H, W), each by itself; every tensor is kept, and every layer's read back.

    A program with states runs in one piece: its samples are a stream.
    """
    shared = program, engine, simulator
    if workers.serial or program.graph.states or len(levels) < 2:
        return _run(shared, levels, progress)
    parts = np.array_split(levels, min(_PARTS, len(levels)))
    return _joined(in_order(workers, _run, shared, parts, progress))


def _run(
    shared: tuple[Program, EngineName, str],
    levels: NDArray[np.int64],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> EngineRun:
    program, engine, simulator = shared
    return find_engine(engine, simulator=simulator).run(
        program, levels, progress=progress, dump_layers=len(levels), keep_tensors=True
    )


def _joined(runs: Sequence[EngineRun]) -> EngineRun:
    """Runs of one engine as if it had been one: arrays one behind the other, counts and seconds added up."""
    found: dict[str, Any] = {}
    for name in (field.name for field in fields(EngineRun)):
        values = [getattr(run, name) for run in runs]
        if isinstance(values[0], dict):
            found[name] = {key: np.concatenate([value[key] for value in values]) for key in values[0]}
        else:
            found[name] = np.concatenate(values) if isinstance(values[0], np.ndarray) else sum(values)
    return EngineRun(**found)
