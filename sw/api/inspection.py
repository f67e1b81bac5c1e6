"""inspected: what samples show of a program: right answers, what each layer adds to the error, what tensors hold."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .explaining import explain
from .quality import checked_levels, quality_beside, sound_labels

if TYPE_CHECKING:
    from ..program import Program as Compiled
    from ..report.spread import Spread
    from .model import Model
    from .program import Program

__all__ = ["inspected", "spreads_of"]

_VALUES, _MOST, _FEWEST = 2 * 10**7, 512, 2
"""Of tensors that are in memory at once; samples whose tensors are looked at, at most and at least."""


def inspected(program: Program, x: NDArray[Any], y: NDArray[Any] | None, model: Model | None) -> dict[str, Any]:
    """What samples show, in values of JSON.

    Parameters
    ----------
    program : Program
    x, y : array, shape (N, ...); array, shape (N,), or None
        Samples as the model takes them, and their labels.
    model : Model, optional
        What it was compiled from: the float model beside.

    Returns
    -------
    dict
        ``count`` samples; ``accuracy`` and ``float_accuracy``, None where labels or model are not known; ``quality``
        beside the float model or None; ``errors`` of layers or None, then ``no_errors`` says why.

    Raises
    ------
    InputError
        If samples or labels do not fit, or the program is another model's.
    """
    from ..engines import EngineName, find_engine
    from ..runtime import accuracy

    compiled, listener = program.compiled, program.listener
    levels = checked_levels(compiled.graph, x, listener)
    labels = sound_labels(compiled.graph.outputs, y, listener)
    beside = quality_beside(program, model, x, labels)
    with listener.progress("running (golden)") as progress:
        run = find_engine(EngineName.GOLDEN).run(compiled, levels, progress=progress)
    quality = None if beside is None else beside(run.outputs)
    errors, no_errors = _errors(program, x, model)
    return {
        "count": len(x),
        "accuracy": None if labels is None else accuracy(compiled.graph, run.outputs, labels),
        "float_accuracy": None if quality is None else quality["float_accuracy"],
        "quality": quality,
        "errors": errors,
        "no_errors": no_errors,
    }


def _errors(program: Program, x: NDArray[Any], model: Model | None) -> tuple[dict[str, Any] | None, str]:
    """Layers by the error that they add, in the order they run, or None and why."""
    if program.graph.states:
        return None, "Of a model with states errors are not followed: what one frame leaves is the next one's."
    found = explain(program, x, model, quick=True).found
    rank = {layer.name: number for number, layer in enumerate(program.graph.layers)}
    layers = sorted(found.layers, key=lambda each: rank.get(each.layer, -1))
    return asdict(found) | {"layers": [asdict(each) for each in layers], "beside_float": model is not None}, ""


def spreads_of(program: Compiled, x: NDArray[Any]) -> tuple[int, list[Spread]]:
    """How many of the samples were looked at, and the spread of every tensor over them."""
    from ...sim.golden import GoldenModel
    from ..report.spread import spreads
    from ..runtime import prepare_input
    from ..runtime.tensors import on_scale

    graph = program.graph
    values = sum(math.prod(tensor.shape) for tensor in graph.tensors.values())
    some = np.asarray(x)[: min(_MOST, max(_FEWEST, _VALUES // values))]
    levels = GoldenModel(graph, program.config).run(prepare_input(graph, some))
    return len(some), spreads(graph, levels, on_scale(graph, some))
