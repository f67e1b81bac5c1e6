"""Averages become sums of taps of constant weight."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, rebuild
from ..layers import AveragePool, Mac, Term

__all__ = ["lower_averages"]


def lower_averages(graph: Graph) -> Graph:
    """Every `AveragePool` as a depthwise `Mac` of constant weight ``1 / (kH * kW)``."""
    layers = []
    for layer in graph.layers:
        if isinstance(layer, AveragePool):
            channels = graph.tensors[layer.source][0]
            kernel = layer.window.kernel
            weights = np.full((channels, 1, *kernel), 1.0 / (kernel[0] * kernel[1]))
            term = Term(source=layer.source, weights=weights, window=layer.window, depthwise=True, constant=True)
            layer = Mac(name=layer.name, terms=(term,), bias=np.zeros(channels), output=layer.output)
        layers.append(layer)
    return rebuild(graph, layers)
