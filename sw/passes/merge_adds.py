"""Residual additions become further terms of a convolution, summed in its accumulator and rounded once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, rebuild
from ..layers import Add, Layer, Mac, Term, scaled

__all__ = ["identity", "merge_adds"]


def identity(source: str, channels: int, gain: float = 1.0) -> Term:
    """A term that passes a tensor on, times ``gain``."""
    return scaled(source, np.full(channels, gain))


def merge_adds(graph: Graph) -> Graph:
    """Every `Add` as a `Mac`.

    An operand that is a linear `Mac` with no other reader gives its terms and bias; any other operand becomes an
    identity term. So ``conv(x) + x`` is one layer of two terms, and ``conv(x) + conv(y)`` as well.
    """
    uses = graph.uses()
    done: dict[str, Layer] = {}
    for layer in graph.layers:
        if isinstance(layer, Add):
            layer = _merged(graph, layer, done, uses)
        done[layer.output] = layer
    return rebuild(graph, list(done.values()))


def _merged(graph: Graph, layer: Add, done: dict[str, Layer], uses: dict[str, int]) -> Mac:
    channels = graph.tensors[layer.output][0]
    terms: list[Term] = []
    bias = np.zeros(channels)
    names: list[str] = []
    for source, sign in ((layer.first, 1), (layer.second, layer.sign)):
        producer = done.get(source)
        if isinstance(producer, Mac) and uses[source] == 1 and producer.is_linear and producer.enlarge == (1, 1):
            del done[source]
            terms += [replace(term, weights=sign * term.weights) for term in producer.terms]
            bias = bias + sign * producer.bias
            names.append(producer.name)
        else:
            terms.append(identity(source, channels, sign))
    # Learned weights first: they are what the layer is called after and what its reports show.
    terms.sort(key=lambda term: term.constant)
    return Mac(name=names[0] if names else layer.name, terms=tuple(terms), bias=bias, output=layer.output)
