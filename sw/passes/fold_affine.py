"""Scaling and shifting by constants moves into the convolutions before or behind it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, rebuild
from ..layers import Affine, Layer, Mac, Term, renamed, scaled

__all__ = ["fold_affine_backward", "fold_affine_forward", "join_affines", "lower_affine"]

_NOTHING = 1e-12
"""A scale so close to 1, and a bias so close to 0, is the rest of a calculation that gives these."""


def join_affines(graph: Graph) -> Graph:
    """An `Affine` that alone reads another one becomes one with it; two that undo each other vanish."""
    uses = graph.uses()
    done: dict[str, Layer] = {}
    alias: dict[str, str] = {}
    for layer in graph.layers:
        layer = renamed(layer, alias)
        if isinstance(layer, Affine):
            source = done.get(layer.source)
            if isinstance(source, Affine) and uses[source.output] == 1:
                del done[source.output]
                scale, bias = layer.scale * source.scale, layer.scale * source.bias + layer.bias
                scale = np.where(np.abs(scale - 1) <= _NOTHING, 1.0, scale)
                bias = np.where(np.abs(bias) <= _NOTHING * np.abs(layer.bias), 0.0, bias)
                layer = replace(layer, source=source.source, scale=scale, bias=bias)
            if (layer.scale == 1).all() and not layer.bias.any() and layer.output not in graph.ends:
                alias[layer.output] = layer.source
                uses[layer.source] += uses[layer.output] - 1
                continue
        done[layer.output] = layer
    return rebuild(graph, list(done.values()))


def _after(layer: Affine, mac: Mac) -> Mac:
    """``mac`` with the affine map applied to its sums."""
    phases = math.prod(mac.enlarge)
    scale, bias = np.tile(layer.scale, phases), np.tile(layer.bias, phases)
    terms = tuple(_scaled(term, scale) for term in mac.terms)
    return replace(mac, terms=terms, bias=mac.bias * scale + bias, output=layer.output, copies=False)


def _scaled(term: Term, by_output: NDArray[np.float64]) -> Term:
    """The term times one factor for each output channel."""
    step = None if term.step is None else term.step * np.where(by_output == 0, 1.0, np.abs(by_output))
    return replace(term, weights=term.weights * by_output[:, np.newaxis, np.newaxis, np.newaxis], step=step)


def fold_affine_backward(graph: Graph) -> Graph:
    """An `Affine` that is the only reader of a linear `Mac` joins its weights and bias."""
    uses = graph.uses()
    done: dict[str, Layer] = {}
    for layer in graph.layers:
        source = done.get(layer.source) if isinstance(layer, Affine) else None
        if isinstance(layer, Affine) and isinstance(source, Mac) and uses[source.output] == 1 and source.is_linear:
            del done[source.output]
            layer = _after(layer, source)
        done[layer.output] = layer
    return rebuild(graph, list(done.values()))


def _before(layer: Affine, mac: Mac) -> Mac:
    """``mac`` reading the source of the affine map that it read the result of."""
    terms, bias = [], mac.bias
    for term in mac.terms:
        if term.source == layer.output:
            shift = term.weights.sum(axis=(2, 3))
            if term.depthwise:
                bias = bias + shift[:, 0] * layer.bias
                term = _scaled(term, layer.scale)
            elif (layer.scale == layer.scale[0]).all():
                bias = bias + shift @ layer.bias
                term = _scaled(term, np.full(len(term.weights), layer.scale[0]))
            else:  # trained integers cannot be kept: each input channel would need a step of its own
                bias = bias + shift @ layer.bias
                weights = term.weights * layer.scale[np.newaxis, :, np.newaxis, np.newaxis]
                term = replace(term, weights=weights, step=None)
            term = replace(term, source=layer.source)
        terms.append(term)
    return replace(mac, terms=tuple(terms), bias=bias, copies=False)


def _can_read_through(layer: Affine, reader: Layer) -> bool:
    """Whether a shift by the affine map can join the reader's bias: padding would have to shift, too."""
    return isinstance(reader, Mac) and (
        not layer.bias.any()
        or not any(term.window.sees_padding for term in reader.terms if term.source == layer.output)
    )


def fold_affine_forward(graph: Graph) -> Graph:
    """An `Affine` read by `Mac` layers alone joins their weights and biases; a shift only where they do not pad."""
    layers: list[Layer] = list(graph.layers)
    outputs = graph.ends
    for affine in [layer for layer in layers if isinstance(layer, Affine)]:
        affine = next(layer for layer in layers if layer.output == affine.output)
        readers = [layer for layer in layers if affine.output in layer.sources]
        if (
            isinstance(affine, Affine)
            and affine.output not in outputs
            and readers
            and all(_can_read_through(affine, reader) for reader in readers)
        ):
            layers = [
                _before(affine, layer) if isinstance(layer, Mac) and layer in readers else layer
                for layer in layers
                if layer is not affine
            ]
    return rebuild(graph, layers)


def lower_affine(graph: Graph) -> Graph:
    """What could not be folded becomes a depthwise 1x1 `Mac` of constant weights."""
    layers: list[Layer] = []
    for layer in graph.layers:
        if isinstance(layer, Affine):
            layer = Mac(
                name=layer.name, terms=(scaled(layer.source, layer.scale),), bias=layer.bias, output=layer.output
            )
        layers.append(layer)
    return rebuild(graph, layers)
