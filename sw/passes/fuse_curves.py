"""Functions of single elements join each other, and become the curve of the layer that computes their input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..curves import Function, X
from ..graph import Graph, rebuild
from ..grids import Grid
from ..layers import Affine, Clamp, Curve, Layer, Mac, Quantise, elementwise
from .merge_adds import identity

__all__ = ["fuse_curves", "join_curves", "lower_curves"]


def join_curves(graph: Graph) -> Graph:
    """A `Curve` and a `Clamp`, `Affine` or `Curve` of which one alone reads the other become one `Curve`."""
    uses = graph.uses()
    done: dict[str, Layer] = {}
    for layer in graph.layers:
        source = done.get(layer.source) if isinstance(layer, Curve | Clamp | Affine) else None
        if (
            isinstance(layer, Curve | Clamp | Affine)
            and isinstance(source, Curve | Clamp | Affine)
            and isinstance(layer if isinstance(layer, Curve) else source, Curve)
            and uses[source.output] == 1
        ):
            outer, inner = elementwise(layer), elementwise(source)
            if outer is not None and inner is not None:
                del done[source.output]
                layer = Curve(name=layer.name, source=source.source, function=outer.of(inner), output=layer.output)
        done[layer.output] = layer
    return rebuild(graph, list(done.values()))


def fuse_curves(graph: Graph) -> Graph:
    """A `Curve` that alone reads a `Mac` becomes the curve of that `Mac`; a trained quantiser in between its grid."""
    uses = graph.uses()
    done: dict[str, Layer] = {}
    for layer in graph.layers:
        if isinstance(layer, Curve) and uses[layer.source] == 1:
            source, grid = done.get(layer.source), None
            if isinstance(source, Quantise) and uses[source.source] == 1:
                source, grid = done.get(source.source), source.grid
            fused = _fused(source, grid, layer) if isinstance(source, Mac) else None
            if fused is not None:
                layer = fused
        done[layer.output] = layer
    return rebuild(graph, list(done.values()))


def _fused(mac: Mac, grid: Grid | None, curve: Curve) -> Mac | None:
    function = curve.function
    if mac.curve is not None:
        return None  # with a trained quantiser in between: without one the two had been joined
    if grid is not None:
        grid = None if grid.bipolar else grid.clipped(mac.low, mac.high)
        if grid is None:
            return None
    elif not mac.is_linear:
        function = function.of(Function("clip", (X, mac.low, mac.high)))
    return replace(mac, low=-np.inf, high=np.inf, curve=function, grid=grid, output=curve.output)


def lower_curves(graph: Graph) -> Graph:
    """Any other `Curve` becomes a `Mac` of its own: one identity tap."""
    layers: list[Layer] = []
    for layer in graph.layers:
        if isinstance(layer, Curve):
            channels = graph.tensors[layer.source][0]
            terms = (identity(layer.source, channels),)
            bias = np.zeros(channels)
            layer = Mac(name=layer.name, terms=terms, bias=bias, curve=layer.function, output=layer.output)
        layers.append(layer)
    return rebuild(graph, layers)
