"""Layers in two halves, below and above zero: for models whose arithmetic steps differently on either side."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..enlarging import small_size
from ..graph import Graph, rebuild
from ..grids import Rounding
from ..layers import Layer, Mac
from ..passes.merge_adds import identity
from .kept import is_kept

__all__ = ["in_halves"]

_MORE = 0.2
"""Multiply-accumulates that halves may add, as a part of the model's."""


def in_halves(graph: Graph, *, exact: bool = False) -> Graph:
    """The lowered graph with layers of both signs made twice, clamped to either side, and added up by their readers.

    Sums that are rounded twice step earlier above zero than below it, by one to two sums, which no single line follows
    (`Rounding.TWICE`). What goes wrong grows from layer to layer, so layers are taken from the input on, as long as all
    of them together cost little, or all of them if ``exact``. A layer that a max-pool reads, or whose output is needed
    when a run is over, stays as it is, or if ``exact`` has a further layer that adds its halves up.
    """
    work = {layer.output: _work(graph, layer) for layer in graph.layers if isinstance(layer, Mac)}
    room = math.inf if exact else _MORE * sum(work.values())
    tensors, grids, layers = dict(graph.tensors), dict(graph.grids), list[Layer]()
    split: dict[str, str] = {}
    for layer in graph.layers:
        layer = _reading(layer, split)
        layers.append(layer)
        if not isinstance(layer, Mac) or not _has_two_sides(graph, layer) or work[layer.output] > room:
            continue
        joins = not _is_added_up(graph, layer)
        if joins and not exact:
            continue
        room -= work[layer.output]
        grid, shape = grids[layer.output], tensors[layer.output]
        above, below = f"{layer.output}/above" if joins else layer.output, f"{layer.output}/below"
        layers[-1] = replace(layer, output=above, low=max(0.0, layer.low))
        layers.append(replace(layer, name=f"{layer.name}/below", output=below, high=min(0.0, layer.high)))
        tensors |= {above: shape, below: shape}
        grids |= {above: replace(grid, low=grid.zero), below: replace(grid, high=grid.zero)}
        if joins:
            terms = tuple(identity(half, shape[0]) for half in (above, below))
            layers.append(Mac(name=f"{layer.name}/sum", terms=terms, bias=np.zeros(shape[0]), output=layer.output))
            grids[layer.output] = replace(grid, rounding=Rounding.EVEN)
        else:
            split[layer.output] = below
    return graph if len(layers) == len(graph.layers) else rebuild(replace(graph, tensors=tensors, grids=grids), layers)


def _work(graph: Graph, layer: Mac) -> int:
    pixels = math.prod(small_size(graph.tensors[layer.output], layer.enlarge))
    return pixels * sum(term.weights.size for term in layer.terms)


def _has_two_sides(graph: Graph, layer: Mac) -> bool:
    grid = graph.grids.get(layer.output)
    if grid is None or grid.rounding is not Rounding.TWICE or layer.curve is not None or not is_kept(layer, graph):
        return False
    return not layer.copies and grid.low < grid.zero < grid.high and layer.low < 0 < layer.high


def _is_added_up(graph: Graph, layer: Mac) -> bool:
    """Whether all that needs a layer's output can add up its halves."""
    readers = [reader for reader in graph.layers if layer.output in reader.sources]
    kept = all(isinstance(reader, Mac) and is_kept(reader, graph) for reader in readers)
    return kept and layer.output not in graph.ends


def _reading(layer: Layer, split: dict[str, str]) -> Layer:
    """The layer with a term more for each half."""
    if not isinstance(layer, Mac):
        return layer
    halves = (replace(term, source=split[term.source]) for term in layer.terms if term.source in split)
    return replace(layer, terms=(*layer.terms, *halves))
