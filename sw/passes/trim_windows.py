"""Lines and columns of kernels that find nothing but padding are left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..enlarging import small_size
from ..graph import Graph, rebuild
from ..layers import Layer, Mac, Term

__all__ = ["trim_windows"]


def trim_windows(graph: Graph) -> Graph:
    """Terms without the outer lines and columns of kernels that no output pixel finds inside the source.

    A kernel of dilation 18 on an image of 16 x 16 pixels is a point.
    """
    layers: list[Layer] = []
    for layer in graph.layers:
        if isinstance(layer, Mac):
            terms = tuple(
                _trimmed(term, graph, small_size(graph.tensors[layer.output], layer.enlarge)) for term in layer.terms
            )
            if any(new is not old for new, old in zip(terms, layer.terms, strict=True)):
                layer = replace(layer, terms=terms)
        layers.append(layer)
    return rebuild(graph, layers)


def _trimmed(term: Term, graph: Graph, outputs: tuple[int, int]) -> Term:
    window, pads = term.window, list(term.window.pads)
    parts: list[slice] = []
    for axis in range(2):
        size, pixels = graph.tensors[term.source][1 + axis], outputs[axis]
        stride, dilation, kernel = window.stride[axis], window.dilation[axis], window.kernel[axis]
        lines = np.add.outer(np.arange(kernel) * dilation - pads[axis], np.arange(pixels) * stride)
        inside = np.flatnonzero(((lines >= 0) & (lines < size)).any(axis=1))
        if not inside.size:
            return term
        first, last = int(inside[0]), int(inside[-1])
        pads[axis] -= first * dilation
        pads[axis + 2] -= (kernel - 1 - last) * dilation
        parts.append(slice(first, last + 1))
    weights = term.weights[:, :, parts[0], parts[1]]
    if weights.shape == term.weights.shape:
        return term
    kernel = (int(weights.shape[2]), int(weights.shape[3]))
    return replace(
        term, weights=weights, window=replace(window, kernel=kernel, pads=(pads[0], pads[1], pads[2], pads[3]))
    )
