"""Copies of tensors on trained grids are on these grids as well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph
from ..grids import Grid
from ..layers import Layer, Mac, MaxPool, Product

__all__ = ["keep_grids"]

_WHOLE = 1e-6
"""How far from a whole number of steps a shift may be, in steps."""


def keep_grids(graph: Graph) -> Graph:
    """Gives each layer that only copies, and each `MaxPool`, the grid of its source, if it has none of its own.

    A copy picks one element for each of its own, all with one positive gain and a shift by whole steps, from tensors
    of one grid: concatenations, borders, phases, the input moved by a constant. So it is exact, in the same integers.
    """
    grids = dict(graph.grids)
    for layer in graph.layers:
        if layer.output not in grids and (grid := _kept(layer, grids)) is not None:
            grids[layer.output] = grid
    return replace(graph, grids=grids)


def _kept(layer: Layer, grids: dict[str, Grid]) -> Grid | None:
    if isinstance(layer, MaxPool):
        return grids.get(layer.source)
    if isinstance(layer, Product) and layer.copies:
        copied = grids.get(layer.second)
        return copied if copied is not None and copied.low <= copied.zero <= copied.high else None
    if not isinstance(layer, Mac) or layer.curve is not None:
        return None
    of_sources = {grids.get(source) for source in layer.sources}
    grid = next(iter(of_sources))
    if len(of_sources) > 1 or grid is None or grid.bipolar:
        return None
    if any(term.window.sees_padding for term in layer.terms) and not grid.low <= grid.zero <= grid.high:
        return None
    if layer.copies:
        return grid.clipped(layer.low, layer.high)
    weights = np.concatenate([term.weights.reshape(len(layer.bias), -1) for term in layer.terms], axis=1)
    gain = float(weights.max())
    if gain <= 0:
        return None
    shift = float(layer.bias[0]) / (gain * grid.scale)
    if (
        (np.count_nonzero(weights, axis=1) != 1).any()
        or (weights.sum(axis=1) != gain).any()
        or (layer.bias != layer.bias[0]).any()
        or not abs(shift - np.rint(shift)) <= _WHOLE
    ):
        return None
    moved = replace(grid, scale=grid.scale * gain, zero=grid.zero - round(shift))
    return moved.clipped(layer.low, layer.high)
