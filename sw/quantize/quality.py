"""quality_of: what quantisation costs: integers beside the float model, output by output, and right answers of both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..graph import Graph
from ..outputs import Output
from ..quantised import QuantisedGraph, QuantisedTensor
from .evaluate import evaluate

__all__ = ["OutputQuality", "Quality", "checked_labels", "float_tensors", "quality_of"]

_VALUES = 2 * 10**7
"""Values of tensors that are in memory at once."""


@dataclass(frozen=True, kw_only=True)
class OutputQuality:
    """One output of the model, as the core gives it: before what is left to the host.

    Parameters
    ----------
    name : str
        The model's.
    agreement : float or None
        Share of samples whose first answer is the float model's (`Output.answers`); None where the output is one number
        that stands for no class.
    snr_db : float or None
        Power of the float output over that of the difference, in decibels; None without a difference.
    largest_error : float
        In steps of the output's integers.
    """

    name: str
    agreement: float | None
    snr_db: float | None
    largest_error: float


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Integers beside floats on some samples.

    ``float_accuracy`` and ``accuracy`` are shares of samples whose first output names the label: of the float model and
    of the integers; None without labels.
    """

    samples: int
    outputs: tuple[OutputQuality, ...]
    float_accuracy: float | None = None
    accuracy: float | None = None


def float_tensors(graph: Graph, x: NDArray) -> dict[str, NDArray[np.float32]]:
    """Tensors of shape (N, C, H, W) that a lowered graph's outputs show, for samples of shape (N, ...)."""
    parts, at_once = [], max(1, _VALUES // sum(math.prod(shape) for shape in graph.tensors.values()))
    if graph.states:
        at_once = max(1, len(x))  # a stream is one
    for start in range(0, len(x), at_once):
        tensors = evaluate(graph, x[start : start + at_once])
        parts.append({name: tensors[name] for name in graph.output_tensors})
    return {name: np.concatenate([part[name] for part in parts]) for name in graph.output_tensors}


def quality_of(
    quantised: QuantisedGraph,
    floats: Mapping[str, NDArray],
    levels: Mapping[str, NDArray[np.int64]],
    labels: NDArray[np.int64] | None = None,
) -> Quality:
    """Quality of integers on samples.

    Parameters
    ----------
    quantised : QuantisedGraph
    floats : mapping of arrays, shape (N, C, H, W)
        See :func:`float_tensors`.
    levels : mapping of int arrays, shape (N, C, H, W)
        The same tensors from an engine.
    labels : array of int, shape (N,), optional
        See :func:`checked_labels`.
    """
    outputs = [
        _output_quality(output, quantised.tensors[output.tensor], floats[output.tensor], levels[output.tensor])
        for output in quantised.outputs
    ]
    float_accuracy = accuracy = None
    first = quantised.outputs[0]
    if labels is not None:
        tensor = quantised.tensors[first.tensor]
        float_accuracy, accuracy = (
            float((first.answers(first.given(values)) == labels).mean())
            for values in (floats[first.tensor], _real(tensor, levels[first.tensor]))
        )
    samples = len(floats[first.tensor])
    return Quality(samples=samples, outputs=tuple(outputs), float_accuracy=float_accuracy, accuracy=accuracy)


def _real(tensor: QuantisedTensor, levels: NDArray[np.int64]) -> NDArray[np.float64]:
    return tensor.scale * (levels.astype(np.float64) - tensor.zero)


def _output_quality(output: Output, tensor: QuantisedTensor, floats: NDArray, levels: NDArray) -> OutputQuality:
    wanted, given = output.elements(floats).astype(np.float64), output.elements(_real(tensor, levels))
    error = given - wanted
    noise, power = float(np.square(error).mean()), float(np.square(wanted).mean())
    agreement = None
    if wanted[0].size > 1 or output.head:
        agreement = float((output.answers(wanted, raw=True) == output.answers(given, raw=True)).mean())
    return OutputQuality(
        name=output.name,
        agreement=agreement,
        snr_db=None if noise == 0 or power == 0 else round(10 * float(np.log10(power / noise)), 2),
        largest_error=float(f"{np.abs(error).max(initial=0.0) / tensor.scale:.4g}"),
    )


def checked_labels(outputs: tuple[Output, ...], y: NDArray) -> tuple[NDArray[np.int64], list[str]]:
    """Labels as integers, and what is strange about them, a line each.

    Raises
    ------
    InputError
        If they are no whole numbers, or none that the model's first output can name.
    """
    labels = np.asarray(y)
    if labels.dtype.kind not in "iufb":
        kind = "text" if labels.dtype.kind in "US" else labels.dtype
        raise InputError(f"labels y must be class numbers, not {kind}: number the classes from 0")
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise InputError("labels y hold NaN or infinity: give class numbers, from 0")
        if not np.array_equal(labels, np.rint(labels)):
            odd = labels[labels != np.rint(labels)][0]
            raise InputError(f"labels y must be class numbers, {odd:g} is none: number the classes from 0")
    labels = labels.astype(np.int64)
    output = outputs[0]
    classes = max(2, int(np.prod(output.shape)))
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > classes:
        raise InputError(f"labels y are {low} to {high}, output {output.name!r} names classes 0 to {classes - 1}")
    if high == classes:
        raise InputError(
            f"labels y go up to {high}, output {output.name!r} names classes 0 to {classes - 1}: "
            "they seem to count from 1, subtract 1"
        )
    strange = []
    if len(labels) >= 10 * classes and classes > 2 and low == 1 and high == classes - 1:
        strange.append(f"no label is 0 among {len(labels)}: do they count from 1?")
    return labels, strange
