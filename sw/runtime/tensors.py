"""Model input to levels, and levels to model output."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..quantised import QuantisedGraph

__all__ = ["prepare_input", "restore_output"]


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
    values = values.reshape(len(values), *tensor.shape)
    levels = tensor.format.quantise(values / tensor.scale + tensor.zero)
    return np.clip(levels, tensor.low, tensor.high)


def restore_output(graph: QuantisedGraph, name: str, levels: ArrayLike) -> NDArray[np.float64]:
    """Real values ``scale * (level - Z)`` of an output, in the shape that the model gives it.

    Parameters
    ----------
    graph : QuantisedGraph
    name : str
        One of ``graph.outputs``.
    levels : array of int, shape (N, C, H, W) or (C, H, W)

    Returns
    -------
    array of float64, shape (N, ...), or (...) for one sample without a batch axis
    """
    shape, tensor = dict(graph.outputs)[name], graph.tensors[name]
    values = tensor.scale * (np.asarray(levels, dtype=np.float64) - tensor.zero)
    many = values.ndim > len(tensor.shape)
    values = values.reshape(len(values) if many else 1, -1)
    if (order := graph.orders.get(name)) is not None:
        values = values[:, order]
    return values.reshape((len(values), *shape) if many else shape)


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _batched(shape: tuple[int, ...]) -> str:
    return " x ".join(["N", *map(str, shape)])
