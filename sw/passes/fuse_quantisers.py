"""Trained quantisers become the grids of the tensors that they round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, rebuild
from ..grids import Grid
from ..layers import Affine, Clamp, Layer, Mac, MaxPool, Product, Quantise, renamed
from .merge_adds import identity

__all__ = ["fuse_quantisers", "quantise_input_first"]

_WHOLE = 1e-6
"""How far from a whole number of steps a shift may be, in steps."""


def quantise_input_first(graph: Graph) -> Graph:
    """A `Quantise` of the scaled and shifted input becomes one of the input itself, scaled and shifted afterwards.

    That takes one positive scale for all channels and a shift by whole steps; so ``2*x - 1`` in three levels is x in
    steps of one half. A bipolar one becomes a step between two neighbouring values, at any shift.
    """
    channels = graph.tensors[graph.input.tensor][0]
    source = graph.input.tensor
    affine = {source: Affine(name="", source="", scale=np.ones(channels), bias=np.zeros(channels), output=source)}
    layers: list[Layer] = []
    tensors = dict(graph.tensors)
    for layer in graph.layers:
        if isinstance(layer, Affine) and (before := affine.get(layer.source)) is not None:
            affine[layer.output] = _composed(before, layer)
        elif isinstance(layer, Quantise) and (before := affine.get(layer.source)) is not None:
            moved = _moved(layer.grid, before)
            if moved is not None:
                rounded = f"{layer.output}/input"
                tensors[rounded] = tensors[source]
                layers.append(replace(layer, source=source, grid=moved[0], output=rounded))
                layer = replace(moved[1], name=layer.name, source=rounded, output=layer.output)
        layers.append(layer)
    return rebuild(replace(graph, tensors=tensors), layers)


def _composed(first: Affine, second: Affine) -> Affine:
    return replace(second, scale=first.scale * second.scale, bias=second.scale * first.bias + second.bias)


def _moved(grid: Grid, affine: Affine) -> tuple[Grid, Affine] | None:
    """Grid of x, and the affine map of its values that gives what ``grid`` makes of the given map of x."""
    scale, bias = affine.scale[0], affine.bias[0]
    if (affine.scale != scale).any() or (affine.bias != bias).any() or scale <= 0:
        return None
    if not grid.bipolar:
        shift = float(np.rint(bias / grid.scale))
        if (scale, bias) == (1, 0) or abs(bias / grid.scale - shift) > _WHOLE:
            return None
        return replace(grid, scale=float(grid.scale / scale), zero=grid.zero + int(shift)), affine
    # The sign changes at x = -bias/scale, half way between 0 and a neighbour; at 0 itself as close to it as matters.
    edge = float(-bias / scale) or -_WHOLE * grid.scale
    step = 2 * abs(edge)
    pair = Grid(scale=step, zero=0, low=-int(edge < 0), high=int(edge > 0))
    gain, offset = np.full_like(affine.scale, 2 * grid.scale / step), -grid.scale if edge > 0 else grid.scale
    return pair, replace(affine, scale=gain, bias=np.full_like(gain, offset))


def fuse_quantisers(graph: Graph) -> Graph:
    """Every `Quantise` becomes the grid of a tensor.

    One that alone reads a `Mac`, a `Product`, the input or a state rounds what is there; one that repeats the grid of
    its source vanishes; any other one becomes a `Mac` of its own, one identity tap. A `Clamp` behind it narrows the
    grid.
    """
    uses = graph.uses()
    done: dict[str, Layer] = {}
    grids, tensors = dict(graph.grids), dict(graph.tensors)
    alias: dict[str, str] = {}
    for layer in graph.layers:
        layer = renamed(layer, alias)
        if isinstance(layer, Quantise):
            source, producer = layer.source, done.get(layer.source)
            alone = uses[source] == 1 and source not in grids
            if grids.get(source) == layer.grid and layer.output not in graph.ends:
                alias[layer.output] = source
                uses[source] += uses[layer.output] - 1
                continue
            if alone and source in graph.starts and layer.output not in graph.ends:
                alias[layer.output] = source
                grids[source] = layer.grid
                uses[source] = uses[layer.output]
                continue
            if alone and isinstance(producer, Mac | Product):
                del done[source]
                layer, grid = replace(producer, output=layer.output), layer.grid
            else:
                low, high = -np.inf, np.inf
                if alone and isinstance(producer, Clamp):  # of values on another grid: one layer does both
                    del done[source]
                    source, low, high = producer.source, producer.low, producer.high
                channels = tensors[source][0]
                terms, grid, bias = (identity(source, channels),), layer.grid, np.zeros(channels)
                layer = Mac(name=layer.name, terms=terms, bias=bias, output=layer.output, low=low, high=high)
            grids[layer.output] = grid
        elif isinstance(layer, Clamp) and layer.source in grids and uses[layer.source] == 1:
            producer = done.get(layer.source)
            grid = grids[layer.source].clipped(layer.low, layer.high)
            if grid is not None and isinstance(producer, Mac):
                del done[layer.source]
                layer = replace(producer, output=layer.output)
                grids[layer.output] = grid
        elif isinstance(layer, MaxPool) and layer.source in grids:
            grids[layer.output] = grids[layer.source]
        done[layer.output] = layer
    return rebuild(replace(graph, grids=grids, tensors=tensors), list(done.values()))
