"""Model input to levels, and levels to model output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..quantised import QuantisedGraph

__all__ = ["accuracy", "clamped_share", "on_scale", "prepare_input", "restore_outputs"]


def prepare_input(graph: QuantisedGraph, x: ArrayLike) -> NDArray[np.int64]:
    """Levels of samples: nearest level to ``x / scale + Z`` in float64, ties toward +infinity, clamped.

    Parameters
    ----------
    graph : QuantisedGraph
    x : array of float or int, shape (N, *graph.input.shape), or one sample without the batch axis

    Returns
    -------
    array of int64, shape (N, C, H, W)

    Raises
    ------
    InputError
        If the shape or the type is wrong, or a value is not finite.
    """
    tensor = graph.tensors[graph.input.tensor]
    levels = tensor.format.quantise(on_scale(graph, x))
    return np.clip(levels, tensor.low, tensor.high)


def clamped_share(graph: QuantisedGraph, x: ArrayLike) -> float:
    """Share of the values of samples that lie beyond the input's range, as calibration chose it, by more than a step.

    Parameters and errors are those of :func:`prepare_input`.
    """
    tensor, places = graph.tensors[graph.input.tensor], on_scale(graph, x)
    return float(((places < tensor.low - 1) | (places > tensor.high + 1)).mean()) if places.size else 0.0


def on_scale(graph: QuantisedGraph, x: ArrayLike) -> NDArray[np.float64]:
    """Samples on the input tensor's scale, ``x / scale + Z``, of shape (N, C, H, W): what is rounded to levels.

    Parameters and errors are those of :func:`prepare_input`.
    """
    spec, tensor = graph.input, graph.tensors[graph.input.tensor]
    values = np.asarray(x)
    if values.dtype.kind not in "fiu":
        raise InputError(f"input must hold real numbers, not {values.dtype}: convert it to float32")
    if values.shape == spec.shape:
        values = values[np.newaxis]
    if values.shape[1:] != spec.shape or values.ndim != len(spec.shape) + 1:
        raise InputError(f"input must have the shape {_batched(spec.shape)} (N samples), not {_shown(values.shape)}")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        sample = int(np.argwhere(~np.isfinite(values))[0][0])
        raise InputError(f"input sample {sample} holds NaN or infinity: every value must be finite")
    if spec.permutation:
        values = values.transpose(0, *(axis + 1 for axis in spec.permutation))
    return values.reshape(len(values), *tensor.shape) / tensor.scale + tensor.zero


def restore_outputs(
    graph: QuantisedGraph, tensors: Mapping[str, ArrayLike], *, raw: bool = False
) -> dict[str, NDArray[Any]]:
    """Outputs of the model, by their names, in the model's order and shapes.

    Real values are ``scale * (level - Z)``; behind them come the functions that the model leaves to the host.

    Parameters
    ----------
    graph : QuantisedGraph
    tensors : mapping of int arrays, shape (N, C, H, W) or, all of them, (C, H, W)
        Levels of the tensors that the outputs show: ``RunResult.outputs`` and the like.
    raw : bool
        Leave the functions out: values as the core computed them.

    Returns
    -------
    dict of arrays, shape (N, ...), or (...) for one sample without a batch axis
        float64; heads that end in indices, codes or truths give those types.
    """
    restored = {}
    for output in graph.outputs:
        tensor, levels = graph.tensors[output.tensor], np.asarray(tensors[output.tensor])
        many = levels.ndim > len(tensor.shape)
        values = tensor.scale * ((levels if many else levels[np.newaxis]).astype(np.float64) - tensor.zero)
        result = output.elements(values) if raw else output.given(values)
        restored[output.name] = result if many else result[0]
    return restored


def accuracy(graph: QuantisedGraph, tensors: Mapping[str, ArrayLike], labels: NDArray[Any]) -> float:
    """Share of samples whose class, by the first output, is the label (`Output.answers`), from levels (N, C, H, W)."""
    first = graph.outputs[0]
    return float((first.answers(restore_outputs(graph, tensors)[first.name]) == labels).mean())


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _batched(shape: tuple[int, ...]) -> str:
    return " x ".join(["N", *map(str, shape)])
