"""equalise: channels of tensors scaled against each other (cross-layer equalisation, arXiv 1906.04721)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph
from ..layers import Layer, Mac, MaxPool, Product, Term
from .evaluate import walk
from .kept import is_kept

__all__ = ["equalise", "gives_on", "scalable"]

_DEAD = 1e-4
"""A channel that gives its readers so small a part of what the largest one gives stays as it is, or where they are
depthwise, so small a part of its own sums before a clamp: stretched to a range like others, its bias would outgrow what
biases can be."""

Factors = dict[str, NDArray[np.float64]]


def equalise(graph: Graph, samples: NDArray, groups: Sequence[list[str]] | None = None) -> Graph:
    """A graph that computes the same, with channels of tensors divided by factors that their readers multiply by.

    A channel's factor is ``sqrt(r / w)``, r its largest value on the samples and w the largest weight that reads it:
    then both have the same part of their ranges. Where only depthwise layers read it, whose channels have scales of
    their own, it is r. Factors of a tensor have a geometric mean of 1. Channels that are nearly dead have none.

    Only tensors whose layers are linear but for a clamp at zero are scaled, in the middle of the network, and none with
    a trained grid. Max-pools and averages pass factors on.

    Parameters
    ----------
    graph : Graph
        Lowered: of `Mac`, `MaxPool` and `Product` layers only.
    samples : array, shape (N, ...)
        As the model takes them.
    groups : sequence of lists, optional
        Which tensors are scaled, of those that :func:`scalable` gives; otherwise all of them.
    """
    groups = scalable(graph) if groups is None else groups
    reaches, sums_reaches = _reaches(graph, samples, {name for names in groups for name in names})
    factors: Factors = {}
    # From the end: the rows of weights that read a tensor have their own factors by then.
    for names in reversed(groups):
        reach = np.max([reaches[name] for name in names], axis=0)
        weights = _reading(graph, names, factors, len(reach))
        if weights is None:
            continue
        wanted = np.where((reach > 0) & (weights > 0), np.sqrt(reach / np.where(weights > 0, weights, 1.0)), 0.0)
        if np.isinf(weights).all():
            wanted = np.where(reach > _DEAD * _sums_reach(names, sums_reaches), reach, 0.0)
        else:
            wanted[reach * weights <= _DEAD * (reach * weights).max()] = 0.0
        if not (wanted > 0).any():
            continue
        mean = np.exp(np.log(wanted[wanted > 0]).mean())
        own = np.where(wanted > 0, wanted / mean, 1.0)
        factors |= dict.fromkeys(names, own)
    return replace(graph, layers=tuple(_scaled(layer, factors) for layer in graph.layers))


def scalable(graph: Graph) -> list[list[str]]:
    """Groups of tensors that have to have the same factors and may have some, in the order of their layers."""
    fixed = {*graph.starts, *graph.ends, *graph.grids}
    group = {name: {name} for name in graph.tensors}
    for layer in graph.layers:
        if not _is_scalable(layer, graph):
            fixed.add(layer.output)
        if isinstance(layer, Product):
            fixed.update(layer.sources)
        if gives_on(layer):
            joined = group[layer.sources[0]] | group[layer.output]
            for name in joined:
                group[name] = joined
    found = dict.fromkeys(frozenset(group[layer.output]) for layer in graph.layers)
    return [sorted(names) for names in found if not fixed.intersection(names)]


def _is_scalable(layer: Layer, graph: Graph) -> bool:
    """Whether a layer's output channels can be scaled by scaling its weights and its bias."""
    if isinstance(layer, MaxPool):
        return True
    if not isinstance(layer, Mac) or layer.curve is not None or is_kept(layer, graph) or layer.enlarge != (1, 1):
        return False
    return layer.low in (0.0, -np.inf) and layer.high == np.inf


def gives_on(layer: Layer) -> bool:
    """Whether a layer gives every channel on alike, so that its output has the factors of its source."""
    if isinstance(layer, MaxPool):
        return True
    if not isinstance(layer, Mac) or len(layer.terms) != 1 or layer.enlarge != (1, 1):
        return False
    (term,) = layer.terms
    return term.constant and np.ptp(term.weights) == 0


def _reading(graph: Graph, names: list[str], factors: Factors, channels: int) -> NDArray[np.float64] | None:
    """Largest weight (C,) that reads each channel; infinite if only depthwise layers do. None: a reader keeps them."""
    largest = np.zeros(channels)
    dense = False
    for layer in graph.layers:
        if gives_on(layer) or not isinstance(layer, Mac):
            continue
        for term in layer.terms:
            if term.source not in names:
                continue
            if is_kept(layer, graph):
                return None
            if not term.depthwise:
                dense = True
                rows = np.abs(term.weights).max(axis=(2, 3)) / factors.get(layer.output, np.ones(1))[:, np.newaxis]
                largest = np.maximum(largest, rows.max(axis=0))
    return largest if dense else np.full(channels, np.inf)


def _reaches(graph: Graph, samples: NDArray, names: Collection[str]) -> tuple[Factors, Factors]:
    """Largest magnitude (C,) of some tensors, and of the sums before the clamps of those that weigh their sources."""
    values, sums = {}, {}
    for each in walk(graph, samples) if names else ():
        if each.name in names:
            values[each.name] = _largest(each.values)
            if each.layer is not None and each.sums is not None and not gives_on(each.layer):
                sums[each.name] = _largest(each.sums)
    return values, sums


def _largest(values: NDArray) -> NDArray[np.float64]:
    ends = values.min(axis=(0, 2, 3)), values.max(axis=(0, 2, 3))
    return np.maximum(-ends[0], ends[1]).astype(values.dtype)


def _sums_reach(names: list[str], sums: Factors) -> NDArray[np.float64]:
    """Largest magnitude (C,) of the sums that tensors are made of."""
    return np.max([sums[name] for name in names if name in sums], axis=0)


def _scaled(layer: Layer, factors: Mapping[str, NDArray[np.float64]]) -> Layer:
    if not isinstance(layer, Mac):
        return layer
    written = factors.get(layer.output)
    divisor = np.ones(len(layer.bias)) if written is None else written
    terms = tuple(_scaled_term(term, factors.get(term.source), divisor) for term in layer.terms)
    return replace(layer, terms=terms, bias=layer.bias / divisor)


def _scaled_term(term: Term, read: NDArray[np.float64] | None, divisor: NDArray[np.float64]) -> Term:
    if read is None:
        ratio = 1.0 / divisor[:, np.newaxis]
    elif term.depthwise:
        ratio = (read / divisor)[:, np.newaxis]  # exactly 1 where a layer gives its channels on
    else:
        ratio = read / divisor[:, np.newaxis]
    if (ratio == 1.0).all():
        return term
    return replace(term, weights=term.weights * ratio[:, :, np.newaxis, np.newaxis], step=None)
