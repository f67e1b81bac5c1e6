"""input_doubts: what may be wrong with samples that a program is given; nothing of it is an error by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..quantised import QuantisedGraph
from .tensors import clamped_share

__all__ = ["input_doubts"]

_CLAMPED = 0.01
"""Share of values beyond the input's range that is worth a line."""

_USED = 1 / 16
"""Part of the input's levels below which samples seem to be of another scale."""


def input_doubts(graph: QuantisedGraph, levels: NDArray[np.int64], values: NDArray) -> list[str]:
    """A line where samples seem to be scaled otherwise than those that a program was calibrated on.

    Parameters
    ----------
    graph : QuantisedGraph
        That of the program.
    levels : array of int, shape (N, C, H, W)
        Of the samples (`prepare_input`).
    values : array
        The samples.
    """
    tensor, clamped = graph.tensors[graph.input.tensor], clamped_share(graph, values)
    ends = tuple(tensor.scale * (end - tensor.zero) for end in (tensor.low, tensor.high))
    low, high = float(np.min(values)), float(np.max(values))
    span = f"samples are {low:.4g} to {high:.4g}, the program's input {ends[0]:.4g} to {ends[1]:.4g}"
    if clamped > _CLAMPED:
        return [f"{span}: {clamped:.1%} of the values are clamped, scale them as the calibration samples"]
    if levels.max() - levels.min() < _USED * (tensor.high - tensor.low):
        return [f"{span}: are they scaled as the calibration samples?"]
    return []
