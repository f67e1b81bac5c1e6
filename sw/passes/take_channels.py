"""Copies of some channels of a layer become layers that compute just those."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, rebuild
from ..layers import Layer, Mac, Term
from ..windows import Window

__all__ = ["take_channels"]

_LANES, _COLUMNS = 16, 4
"""Channels that arrays read, and write, at once: what a layer's work is rounded up to."""

_MORE = 2
"""Times the work of a layer and of its copies that layers without copies may take: they round once less."""


def take_channels(graph: Graph) -> Graph:
    """Where only copies of channels read a `Mac`, each computes its channels itself.

    Channels may be copied several times, as a mean that is subtracted from all of them is, as long as that is not much
    more work than copying. A copy that also multiplies takes the gain into the weights, if what it reads is linear;
    one that enlarges hands that on.
    """
    while True:
        readers: dict[str, list[Layer]] = {}
        for layer in graph.layers:
            for name in dict.fromkeys(layer.sources):
                readers.setdefault(name, []).append(layer)
        found = next(
            (
                layer
                for layer in graph.layers
                if isinstance(layer, Mac) and layer.output not in graph.ends and _worthwhile(layer, readers, graph)
            ),
            None,
        )
        if found is None:
            return graph
        copies = readers[found.output]
        layers = [
            _taken(found, layer, graph, alone=len(copies) == 1)
            if isinstance(layer, Mac) and found.output in layer.sources
            else layer
            for layer in graph.layers
            if layer is not found
        ]
        graph = rebuild(graph, layers)


def _worthwhile(layer: Mac, readers: dict[str, list[Layer]], graph: Graph) -> bool:
    copies = readers.get(layer.output, [])
    taken = [_gains(copy, layer) for copy in copies]
    if not copies or any(gains is None for gains in taken):
        return False
    if graph.grids:  # what has integers keeps its layers: a sum that no quantiser rounds gets 8 bits of its own
        return False
    outputs = [len(gains[0]) for gains in taken if gains is not None]
    before = after = 0
    for term in layer.terms:  # depthwise ones become dense
        taps, inputs = term.window.kernel[0] * term.window.kernel[1], _up(graph.tensors[term.source][0], _LANES)
        before += taps * (_LANES if term.depthwise else inputs)
        after += taps * inputs
    own, copied = _up(len(layer.bias), _COLUMNS), sum(_up(count, _COLUMNS) for count in outputs)
    return copied * after <= _MORE * (own * before + copied * _up(len(layer.bias), _LANES))


def _up(count: int, step: int) -> int:
    return -(-count // step) * step


def _gains(copy: Layer, layer: Mac) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Channels (O,) of a layer that a copy takes, and what it multiplies them by; None if it does something else."""
    if not isinstance(copy, Mac) or len(copy.terms) != 1 or copy.curve is not None or copy.grid is not None:
        return None
    if layer.enlarge != (1, 1):
        return None
    (term,) = copy.terms
    weights = term.weights[:, :, 0, 0]
    if term.depthwise or term.window != Window(kernel=(1, 1)) or (np.count_nonzero(weights, axis=1) != 1).any():
        return None
    channels = np.abs(weights).argmax(axis=1)
    gains = np.take_along_axis(weights, channels[:, np.newaxis], axis=1)[:, 0]
    if not copy.is_linear or (not layer.is_linear and ((gains != 1).any() or copy.bias.any())):
        return None
    return channels, gains


def _taken(layer: Mac, copy: Mac, graph: Graph, *, alone: bool) -> Mac:
    """The layer in place of a copy of some of its channels; by its own name where that is ``alone``."""
    found = _gains(copy, layer)
    assert found is not None, "it was asked before"
    channels, gains = found
    terms = tuple(_rows(term, channels, gains, graph.tensors[term.source][0]) for term in layer.terms)
    return replace(
        layer,
        name=layer.name if alone else copy.name,
        terms=terms,
        bias=layer.bias[channels] * gains + copy.bias,
        output=copy.output,
        origin=layer.origin,
        copies=layer.copies and bool((gains == 1).all()) and not copy.bias.any(),
        enlarge=copy.enlarge,
    )


def _rows(term: Term, channels: NDArray[np.int64], gains: NDArray[np.float64], inputs: int) -> Term:
    """A term with the weights of some of its output channels, times gains."""
    rows = term.weights[channels] * gains[:, np.newaxis, np.newaxis, np.newaxis]
    step = None if term.step is None else term.step[channels] * np.abs(gains)
    if not term.depthwise:
        return replace(term, weights=rows, step=step)
    weights = np.zeros((len(rows), inputs, *rows.shape[2:]))
    weights[np.arange(len(rows)), channels] = rows[:, 0]
    if term.constant:
        step = np.abs(rows[:, 0, 0, 0])
    return replace(term, weights=weights, step=step, depthwise=False, constant=False)
