"""Tensors put together become further terms of the layers that read them, or a layer of copies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, rebuild
from ..layers import Concat, Layer, Mac, Term
from ..windows import Window

__all__ = ["lower_concats", "split_concats"]


def split_concats(graph: Graph) -> Graph:
    """A dense term that reads a `Concat` becomes one for each part, with its share of the weights."""
    concats = {layer.output: layer for layer in graph.layers if isinstance(layer, Concat)}
    while True:
        layers = [_split(layer, concats, graph) if isinstance(layer, Mac) else layer for layer in graph.layers]
        if all(new is old for new, old in zip(layers, graph.layers, strict=True)):
            return graph
        graph = rebuild(graph, layers)


def _split(layer: Mac, concats: dict[str, Concat], graph: Graph) -> Mac:
    terms: list[Term] = []
    for term in layer.terms:
        concat = None if term.depthwise else concats.get(term.source)
        if concat is None:
            terms.append(term)
            continue
        ends = np.cumsum([graph.tensors[part][0] for part in concat.parts])
        shares = np.split(term.weights, ends[:-1], axis=1)
        terms += [replace(term, source=part, weights=share) for part, share in zip(concat.parts, shares, strict=True)]
    return layer if len(terms) == len(layer.terms) else replace(layer, terms=tuple(terms))


def lower_concats(graph: Graph) -> Graph:
    """Every other `Concat` becomes a `Mac` that copies its parts, each channel with weight 1."""
    layers: list[Layer] = []
    for layer in graph.layers:
        if isinstance(layer, Concat):
            total, start, terms = graph.tensors[layer.output][0], 0, []
            for part in layer.parts:
                channels = graph.tensors[part][0]
                weights = np.zeros((total, channels, 1, 1))
                weights[start + np.arange(channels), np.arange(channels)] = 1.0
                terms.append(Term(source=part, weights=weights, window=Window(kernel=(1, 1)), step=np.ones(total)))
                start += channels
            layer = Mac(name=layer.name, terms=tuple(terms), bias=np.zeros(total), output=layer.output, copies=True)
        layers.append(layer)
    return rebuild(graph, layers)
