"""Padding with zeros becomes the padding of the windows that read it."""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph, rebuild
from ..layers import AveragePool, Clamp, Layer, Mac, MaxPool, Quantise
from ..windows import Window

__all__ = ["fuse_pads"]


def fuse_pads(graph: Graph) -> Graph:
    """Borders of zeros join the windows of `Mac` and `AveragePool` layers that read them.

    A border that a `Clamp` or `Quantise` alone reads moves behind it first, if that leaves 0 as it is. What other
    layers read stays a layer, for a `MaxPool`, too, whose own padding takes no part: it joins borders that a `MaxPool`
    of single pixels makes.
    """
    uses = graph.uses()
    tensors = dict(graph.tensors)
    borders: dict[str, AveragePool] = {}
    lowest: dict[str, MaxPool] = {}
    done: list[Layer] = []
    for layer in graph.layers:
        layer = _without_borders(layer, borders)
        if isinstance(layer, MaxPool):
            if (below := lowest.get(layer.source)) is not None:
                layer = replace(layer, source=below.source, window=_padded(layer.window, below.window))
            if max(layer.window.pads) > 0 and _is_border(layer.window):
                lowest[layer.output] = layer
        if isinstance(layer, Clamp | Quantise) and layer.source in borders:
            border = borders[layer.source]
            if uses[border.output] == 1 and _keeps_zero(layer):
                inner = replace(layer, source=border.source, output=f"{layer.output}/inner")
                tensors[inner.output] = tensors[border.source]
                done.append(inner)
                layer = replace(border, source=inner.output, output=layer.output)
        if isinstance(layer, AveragePool) and _is_border(layer.window):
            borders[layer.output] = layer
        done.append(layer)
    return rebuild(replace(graph, tensors=tensors), done)


def _is_border(window: Window) -> bool:
    """Whether a window adds a border and does nothing else."""
    return window == Window(kernel=(1, 1), pads=window.pads) and min(window.pads) >= 0


def _keeps_zero(layer: Clamp | Quantise) -> bool:
    if isinstance(layer, Clamp):
        return layer.low <= 0 <= layer.high
    return float(layer.grid.round(0.0)) == 0.0


def _without_borders(layer: Layer, borders: dict[str, AveragePool]) -> Layer:
    """The layer reading what lies within borders."""
    if isinstance(layer, AveragePool) and (border := borders.get(layer.source)) is not None:
        return replace(layer, source=border.source, window=_padded(layer.window, border.window))
    if isinstance(layer, Mac) and any(term.source in borders for term in layer.terms):
        terms = []
        for term in layer.terms:
            if (border := borders.get(term.source)) is not None:
                term = replace(term, source=border.source, window=_padded(term.window, border.window))
            terms.append(term)
        return replace(layer, terms=tuple(terms))
    return layer


def _padded(window: Window, border: Window) -> Window:
    top, left, bottom, right = (own + more for own, more in zip(window.pads, border.pads, strict=True))
    return replace(window, pads=(top, left, bottom, right))
