"""Relu and Clip become the clamp of the layer that computes their input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, rebuild
from ..layers import Clamp, Curve, Layer, Mac, MaxPool, Quantise
from .merge_adds import identity

__all__ = ["clamp_before_pooling", "fuse_clamps", "lower_clamps"]


def clamp_before_pooling(graph: Graph) -> Graph:
    """A `Clamp`, `Quantise` or increasing `Curve` that alone reads a `MaxPool` moves before it: the result is equal."""
    uses = graph.uses()
    done: dict[str, Layer] = {}
    tensors = dict(graph.tensors)
    for layer in graph.layers:
        moves = not isinstance(layer, Curve) or layer.function.is_increasing
        pool = done.get(layer.source) if isinstance(layer, Clamp | Quantise | Curve) and moves else None
        if isinstance(layer, Clamp | Quantise | Curve) and isinstance(pool, MaxPool) and uses[pool.output] == 1:
            del done[pool.output]
            inner = f"{pool.output}/{type(layer).__name__.lower()}"
            tensors[inner] = tensors[pool.source]
            done[inner] = replace(layer, source=pool.source, output=inner)
            layer = replace(pool, source=inner, output=layer.output)
        done[layer.output] = layer
    return rebuild(replace(graph, tensors=tensors), list(done.values()))


def fuse_clamps(graph: Graph) -> Graph:
    """A `Clamp` that alone reads a `Mac` becomes the clamp of that `Mac`."""
    uses = graph.uses()
    done: dict[str, Layer] = {}
    for layer in graph.layers:
        source = done.get(layer.source) if isinstance(layer, Clamp) else None
        if isinstance(layer, Clamp) and isinstance(source, Mac) and uses[source.output] == 1 and source.curve is None:
            del done[source.output]
            low, high = (float(np.clip(bound, layer.low, layer.high)) for bound in (source.low, source.high))
            layer = replace(source, low=low, high=high, output=layer.output)
        done[layer.output] = layer
    return rebuild(graph, list(done.values()))


def lower_clamps(graph: Graph) -> Graph:
    """A `Clamp` whose input others read, too, becomes a `Mac` of its own: one identity tap, clamped.

    Of a trained grid that is left of it, the clamped values keep their places.
    """
    layers: list[Layer] = []
    grids = dict(graph.grids)
    for layer in graph.layers:
        if isinstance(layer, Clamp):
            grid = grids[layer.source].clipped(layer.low, layer.high) if layer.source in grids else None
            if grid is not None:
                grids[layer.output] = grid
            channels = graph.tensors[layer.source][0]
            layer = Mac(
                name=layer.name,
                terms=(identity(layer.source, channels),),
                bias=np.zeros(channels),
                low=layer.low,
                high=layer.high,
                output=layer.output,
            )
        layers.append(layer)
    return rebuild(replace(graph, grids=grids), layers)
