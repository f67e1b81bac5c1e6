"""A quantised graph read from a file, checked whole: shapes, names, levels and geometry fit each other."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.tables import TABLE_TOP
from .quantised import HeldSegment, MacLayer, MaxLayer, QuantisedGraph, QuantisedTensor, Segment
from .states import State

__all__ = ["MOST_ELEMENTS", "validate_graph"]

MOST_ELEMENTS = 1 << 28
"""Elements of a tensor: more than a backing store holds."""

_MOST_WEIGHT = 1 << 15
_MOST_SHIFT = 63


def validate_graph(graph: QuantisedGraph) -> None:
    """Refuse a graph that no quantiser makes.

    What numbers of layers are within the widths of a configuration is for others to say.

    Raises
    ------
    ValueError
        If names, shapes, levels or geometry do not fit each other.
    """
    for tensor in graph.tensors.values():
        _tensor(tensor)
    spec = graph.input
    source = graph.tensors.get(spec.tensor)
    _need(source is not None, f"the input {spec.tensor!r} is no tensor")
    assert source is not None
    _need(min(spec.shape, default=1) >= 1, "the input has an empty axis")
    _need(math.prod(spec.shape) == math.prod(source.shape), "the input's shape does not fit its tensor")
    permuted = sorted(spec.permutation) == list(range(len(spec.shape)))
    _need(permuted or not spec.permutation, "the input's permutation is none")
    written = {spec.tensor}
    for state in graph.states:
        _need(state.tensor in graph.tensors and state.tensor not in written, f"the state {state.tensor!r} is no tensor")
        written.add(state.tensor)
    names = set()
    for layer in graph.layers:
        _need(layer.name not in names, f"two layers have the name {layer.name!r}")
        names.add(layer.name)
        for name in layer.sources:
            _need(name in written, f"layer {layer.name!r} reads {name!r}, which nothing has written")
        _need(layer.output in graph.tensors and layer.output not in written, f"layer {layer.name!r} writes no tensor")
        if isinstance(layer, MacLayer):
            _mac(graph, layer)
        else:
            _max(graph, layer)
        written.add(layer.output)
    if left := sorted(set(graph.tensors) - written):
        raise ValueError(f"nothing writes the tensor {left[0]!r}")
    for state in graph.states:
        _state(graph, state)
    _need(bool(graph.outputs), "it has no output")
    for output in graph.outputs:
        _need(output.tensor in written, f"the output {output.name!r} shows no tensor")


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _state(graph: QuantisedGraph, state: State) -> None:
    where, tensor = f"the state {state.tensor!r}", graph.tensors[state.tensor]
    _need(any(layer.output == state.update for layer in graph.layers), f"{where} takes over what no layer writes")
    update = graph.tensors[state.update]
    _need(update == replace(tensor, name=update.name), f"{where} takes over a tensor of another kind")
    _need(state.initial.shape == tensor.shape, f"{where} begins with the shape {state.initial.shape}")
    known = tensor.levels
    _need(bool(np.isin(state.initial, known).all()), f"{where} begins with levels that it cannot hold")


def _tensor(tensor: QuantisedTensor) -> None:
    where = f"tensor {tensor.name!r}"
    _need(min(tensor.shape) >= 1 and math.prod(tensor.shape) <= MOST_ELEMENTS, f"{where} has the shape {tensor.shape}")
    _need(tensor.scale > 0, f"{where} has the scale {tensor.scale}")
    levels = (tensor.low, tensor.zero, tensor.high)
    _need(bool(np.isin(levels, tensor.format.levels).all()), f"{where} has bounds that are no levels of its format")
    _need(tensor.low <= tensor.high, f"{where} has the range {tensor.low} to {tensor.high}")


def _mac(graph: QuantisedGraph, layer: MacLayer) -> None:
    output, where = graph.tensors[layer.output], f"layer {layer.name!r}"
    factors = layer.enlarge
    _need(min(factors) >= 1 and max(factors) <= MOST_ELEMENTS, f"{where} enlarges by {factors}")
    if factors != (1, 1):
        whole = not (output.shape[1] % factors[0] or output.shape[2] % factors[1])
        _need(whole and not layer.products, f"{where} enlarges by {factors} to {output.shape}")
        output = replace(output, shape=(output.shape[0] * math.prod(factors), *layer.size(output)))
    _need(bool(layer.segments), f"{where} reads nothing")
    for segment in layer.segments:
        if isinstance(segment, HeldSegment):
            _held_segment(graph, segment, output, where)
        else:
            _segment(graph.tensors[segment.source], segment, output, where)
    kinds = {segment.depthwise for segment in layer.products}
    _need(len(kinds) < 2, f"{where} has a matrix product beside an elementwise one")
    for name in ("bias", "multiplicand", "shift"):
        array: NDArray[np.int64] = getattr(layer, name)
        _need(array.shape == output.shape[:1], f"{where} has {name} of shape {array.shape}")
    _need(bool((layer.multiplicand >= 0).all()), f"{where} has a negative multiplicand")
    _need(bool(((layer.shift >= 0) & (layer.shift <= _MOST_SHIFT)).all()), f"{where} has a shift out of range")
    if (table := layer.table) is not None:
        bounds = (-TABLE_TOP, table.low, table.high, TABLE_TOP)
        _need(all(a <= b for a, b in pairwise(bounds)), f"{where} has a table for {table.low} to {table.high}")
        _need(-TABLE_TOP <= table.zero <= TABLE_TOP, f"{where} has a table with the zero {table.zero}")
        _need(table.levels.shape == (2 * TABLE_TOP + 1,), f"{where} has a table of shape {table.levels.shape}")
        _need(bool(np.isin(table.levels, output.format.levels).all()), f"{where} has a table of other levels")


def _segment(source: QuantisedTensor, segment: Segment, output: QuantisedTensor, where: str) -> None:
    weights = segment.weights
    channels = (output.shape[0], 1) if segment.depthwise else (output.shape[0], source.shape[0])
    _need(weights.ndim == 4 and weights.shape[:2] == channels, f"{where} has weights of shape {weights.shape}")
    _need(not segment.depthwise or output.shape[0] == source.shape[0], f"{where} has other channels than its source")
    _need(bool((np.abs(weights) < _MOST_WEIGHT).all()), f"{where} has weights beyond 15 bits")
    kernel = (weights.shape[2], weights.shape[3])
    _need(min(segment.inset) >= 0, f"{where} has the inset {segment.inset}")
    _window(source, output, kernel, segment.stride, segment.pads, segment.dilation, where)


def _held_segment(graph: QuantisedGraph, segment: HeldSegment, output: QuantisedTensor, where: str) -> None:
    source, held = graph.tensors[segment.source].shape, graph.tensors[segment.held].shape
    plain = Segment(source=segment.source, weights=segment.weights, depthwise=segment.depthwise)
    same = all(getattr(segment, side) == getattr(plain, side) for side in ("stride", "pads", "dilation", "inset"))
    _need(same, f"{where} has a product of tensors with a window")
    fits = held[0] == source[0] and (not segment.depthwise or held[1:] in (source[1:], (1, 1)))
    _need(fits, f"{where} has a product of tensors of the shapes {source} and {held}")
    blank = HeldSegment.blank(source, held, depthwise=segment.depthwise).shape
    _need(segment.weights.shape == blank, f"{where} has weights of shape {segment.weights.shape}")
    given = (source[0] if segment.depthwise else held[1] * held[2], *source[1:])
    _need(given == output.shape, f"{where} does not give the shape {output.shape}")


def _max(graph: QuantisedGraph, layer: MaxLayer) -> None:
    source, output, where = graph.tensors[layer.source], graph.tensors[layer.output], f"layer {layer.name!r}"
    _need(source.shape[0] == output.shape[0], f"{where} has other channels than its source")
    same = (source.format, source.zero) == (output.format, output.zero)
    _need(same, f"{where} writes another format than it reads")
    _need(min(layer.pads) >= 0, f"{where} has the pads {layer.pads}")
    for axis in (0, 1):
        seen = layer.dilation[axis] * (layer.kernel[axis] - 1) + 1
        _need(max(layer.pads[axis::2]) < seen, f"{where} has windows of padding alone")
    _window(source, output, layer.kernel, layer.stride, layer.pads, layer.dilation, where)


def _window(
    source: QuantisedTensor,
    output: QuantisedTensor,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    pads: tuple[int, ...],
    dilation: tuple[int, ...],
    where: str,
) -> None:
    positive = min(*kernel, *stride, *dilation) >= 1
    _need(positive, f"{where} has a window of kernel {kernel}, stride {stride}, dilation {dilation}")
    _need(max(map(abs, pads)) < MOST_ELEMENTS, f"{where} has the pads {pads}")
    for axis in (0, 1):
        room = source.shape[1 + axis] + pads[axis] + pads[2 + axis] - dilation[axis] * (kernel[axis] - 1) - 1
        found = room // stride[axis] + 1
        _need(room >= 0 and found == output.shape[1 + axis], f"{where} does not give the shape {output.shape}")
