"""Float evaluation of a graph: what every layer gives and every tensor holds on given samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...hw.spec.exact import float_sums
from ..enlarging import enlarged
from ..graph import Graph
from ..grids import Grid
from ..layers import (
    Add,
    Affine,
    AveragePool,
    Clamp,
    Concat,
    Curve,
    ElementAffine,
    Layer,
    Mac,
    MaxPool,
    Product,
    Quantise,
    Term,
)
from ..windows import Window

__all__ = [
    "Evaluated",
    "applied",
    "convolve",
    "evaluate",
    "max_pool",
    "model_input",
    "patches",
    "rounded",
    "sums",
    "walk",
]

_BATCH = 32
"""Samples convolved at once: bounds the memory of unfolded patches."""


def model_input(graph: Graph, x: NDArray) -> NDArray[np.float64]:
    """Samples in the model's own order, of shape (N, ...), as the (N, C, H, W) tensor that the graph reads."""
    x = np.asarray(x, dtype=np.float64)
    if graph.input.permutation:
        x = x.transpose(0, *(axis + 1 for axis in graph.input.permutation))
    return x.reshape(len(x), *graph.tensors[graph.input.tensor])


def patches(x: NDArray, window: Window, fill: float = 0.0) -> NDArray:
    """Windows over ``x`` of shape (N, C, H, W), as (N, C, oH, oW, kH, kW); padding reads as ``fill``."""
    top, left, bottom, right = (max(0, pad) for pad in window.pads)
    if any((top, left, bottom, right)):
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    if min(window.pads) < 0:
        above, before, below, behind = (max(0, -pad) for pad in window.pads)
        x = x[:, :, above : x.shape[2] - below, before : x.shape[3] - behind]
    reach = [d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilation, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    view = view[:, :, :: window.stride[0], :: window.stride[1], :: window.dilation[0], :: window.dilation[1]]
    if not any(window.inset):
        return view
    return np.where(window.inside(*view.shape[2:4])[..., np.newaxis, np.newaxis], view, fill)


def _batches(x: NDArray) -> Iterator[NDArray]:
    return (x[start : start + _BATCH] for start in range(0, len(x), _BATCH))


def convolve(x: NDArray, term: Term, weights: NDArray) -> NDArray:
    """Sums of products of a term's windows with ``weights``, of shape (N, O, oH, oW), in the type of ``x``."""
    return float_sums(term.segment(weights), x.transpose(1, 0, 2, 3)).transpose(1, 0, 2, 3)


def max_pool(x: NDArray, window: Window, lowest: float) -> NDArray:
    """Maximum over windows; padding reads as ``lowest``, which no value is below."""
    windows = patches(x, window, lowest)
    largest = windows[..., 0, 0].copy()
    for y, column in np.ndindex(*window.kernel):
        np.maximum(largest, windows[..., y, column], out=largest)
    return largest


def rounded(graph: Graph, name: str, values: NDArray, dtype: DTypeLike = np.float32) -> NDArray:
    """Values of a tensor on its trained grid, if it has one."""
    grid = graph.grids.get(name)
    return (values if grid is None else grid.round(values)).astype(dtype, copy=False)


def sums(layer: Mac, tensors: Mapping[str, NDArray[np.floating]], grids: Mapping[str, Grid]) -> NDArray[np.floating]:
    """Sums of a layer's terms and its bias, of shape (N, O, oH, oW), from its sources' values.

    Terms of trained integers on a source of ``grids`` are summed in integers, and the result is float64 then: float32
    would take equal sums apart, and sums beside the middle of two levels to the wrong one. Others give the type of
    their sources.
    """
    exact = [_integer_sums(term, tensors[term.source], grids.get(term.source)) for term in layer.terms]
    kind = tensors[layer.sources[0]].dtype if any(part is None for part in exact) else np.dtype(np.float64)
    total = None
    for term, part in zip(layer.terms, exact, strict=True):
        each = convolve(tensors[term.source], term, term.weights) if part is None else part
        total = each.astype(kind, copy=False) if total is None else np.add(total, each, dtype=kind, out=total)
    assert total is not None, "a layer has terms"
    total += layer.bias.astype(kind)[:, np.newaxis, np.newaxis]
    return total


def _integer_sums(term: Term, values: NDArray[np.floating], grid: Grid | None) -> NDArray[np.float64] | None:
    """Sums of a term whose weights and values are whole multiples of steps, rounded once; None of any other."""
    step = np.abs(term.weights[:, 0, 0, 0]) if term.constant else term.step
    if grid is None or step is None:
        return None
    safe = np.where(step == 0, 1.0, step)
    levels = np.rint(term.weights / safe[:, np.newaxis, np.newaxis, np.newaxis])
    products = convolve(np.rint(values.astype(np.float64) / grid.scale), term, levels)
    return products * (safe * grid.scale)[:, np.newaxis, np.newaxis]


def _by_channel(values: NDArray, dtype: DTypeLike) -> NDArray:
    return values.astype(dtype)[:, np.newaxis, np.newaxis]


def applied(layer: Layer, tensors: Mapping[str, NDArray], grids: Mapping[str, Grid]) -> NDArray:
    """What a layer gives for its sources' values of shape (N, C, H, W), before it is rounded to its output's grid."""
    if isinstance(layer, Mac):
        return enlarged(layer.activated(sums(layer, tensors, grids)), layer.enlarge)
    if isinstance(layer, Concat):
        return np.concatenate([tensors[part] for part in layer.parts], axis=1)
    x = tensors[layer.sources[0]]
    match layer:
        case MaxPool():
            return max_pool(x, layer.window, -np.inf)
        case AveragePool():
            return np.concatenate([patches(part, layer.window).mean(axis=(4, 5)) for part in _batches(x)])
        case Clamp():
            return np.clip(x, layer.low, layer.high)
        case Curve():
            return layer.function(x).astype(x.dtype)
        case Quantise():
            return layer.grid.round(x)
        case Affine():
            return x * _by_channel(layer.scale, x.dtype) + _by_channel(layer.bias, x.dtype)
        case ElementAffine():
            return x * layer.scale.astype(x.dtype) + layer.bias.astype(x.dtype)
        case Add():
            return x + layer.sign * tensors[layer.second]
        case Product(matrix=False):
            return x * tensors[layer.second]
        case Product():
            weights = tensors[layer.second].reshape(*x.shape[:2], -1)
            return np.einsum("nchw,nco->nohw", x, weights).astype(x.dtype, copy=False)
    raise TypeError(f"layer {layer.name!r} is a {type(layer).__name__}, which nothing evaluates")


def evaluate(graph: Graph, x: NDArray) -> dict[str, NDArray[np.float32]]:
    """Every tensor of a graph, of shape (N, C, H, W), as float32 and rounded to its trained grid.

    Parameters
    ----------
    graph : Graph
    x : array, shape (N, ...)
        Samples as the model takes them; of a graph with states the frames of one stream, from its begin on.
    """
    return {each.name: each.values for each in walk(graph, x)}


@dataclass(frozen=True)
class Evaluated:
    """A tensor (N, C, H, W), rounded to its trained grid, with the layer that gives it; None: the input or a state.

    ``sums`` are those of a `Mac` before its clamp.
    """

    name: str
    values: NDArray[np.float32]
    layer: Layer | None = None
    sums: NDArray[np.floating] | None = None


def walk(graph: Graph, x: NDArray) -> Iterator[Evaluated]:
    """Every tensor of a graph in the order of its layers; each is forgotten when no further layer reads it.

    Parameters are those of :func:`evaluate`.
    """
    name = graph.input.tensor
    given = rounded(graph, name, model_input(graph, x))
    return _stream(graph, given) if graph.states else _walk(graph, {name: given}, frozenset())


def _stream(graph: Graph, frames: NDArray) -> Iterator[Evaluated]:
    """As `walk`, frame by frame: each takes over what the one before it left."""
    updates = frozenset(state.update for state in graph.states)
    now = {s.tensor: rounded(graph, s.tensor, s.initial[np.newaxis]) for s in graph.states}
    runs: list[list[Evaluated]] = []
    for frame in frames:
        runs.append(list(_walk(graph, {graph.input.tensor: frame[np.newaxis], **now}, updates)))
        values = {each.name: each.values for each in runs[-1]}
        now = {state.tensor: values[state.update] for state in graph.states}
    for parts in zip(*runs, strict=True):
        first, sums_of_all = parts[0], [each.sums for each in parts if each.sums is not None]
        values, total = np.concatenate([each.values for each in parts]), None
        if sums_of_all:
            total = np.concatenate(sums_of_all)
        yield Evaluated(first.name, values, first.layer, total)


def _walk(graph: Graph, starts: Mapping[str, NDArray], kept: frozenset[str]) -> Iterator[Evaluated]:
    """As `walk`, for given values of the tensors that no layer writes; ``kept`` are not forgotten."""
    last = graph.last_readers()
    tensors = dict(starts)
    for name, values in starts.items():
        yield Evaluated(name, values)
    for layer in graph.layers:
        total = None
        if isinstance(layer, Mac):
            total = sums(layer, tensors, graph.grids)
            found = enlarged(layer.activated(total), layer.enlarge)
        else:
            found = applied(layer, tensors, graph.grids)
        values = found if isinstance(layer, MaxPool) else rounded(graph, layer.output, found)
        yield Evaluated(layer.output, values, layer, total)
        tensors[layer.output] = values
        for read in layer.sources:
            if last[read] is layer and read not in kept:
                tensors.pop(read, None)
