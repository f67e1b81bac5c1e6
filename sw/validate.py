"""A quantised graph read from a file, checked whole: shapes, names, levels and geometry fit each other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .integer.checks import MOST_ELEMENTS, need
from .quantised import QuantisedGraph, QuantisedTensor
from .states import State

__all__ = ["validate_graph"]


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
    need(source is not None, f"the input {spec.tensor!r} is no tensor")
    assert source is not None
    need(min(spec.shape, default=1) >= 1, "the input has an empty axis")
    need(math.prod(spec.shape) == math.prod(source.shape), "the input's shape does not fit its tensor")
    permuted = sorted(spec.permutation) == list(range(len(spec.shape)))
    need(permuted or not spec.permutation, "the input's permutation is none")
    written = {spec.tensor}
    for state in graph.states:
        need(state.tensor in graph.tensors and state.tensor not in written, f"the state {state.tensor!r} is no tensor")
        written.add(state.tensor)
    names = set()
    for layer in graph.layers:
        need(layer.name not in names, f"two layers have the name {layer.name!r}")
        names.add(layer.name)
        for name in layer.sources:
            need(name in written, f"layer {layer.name!r} reads {name!r}, which nothing has written")
        need(layer.output in graph.tensors and layer.output not in written, f"layer {layer.name!r} writes no tensor")
        layer.check(graph.tensors)
        written.add(layer.output)
    if left := sorted(set(graph.tensors) - written):
        raise ValueError(f"nothing writes the tensor {left[0]!r}")
    for state in graph.states:
        _state(graph, state)
    need(bool(graph.outputs), "it has no output")
    for output in graph.outputs:
        need(output.tensor in written, f"the output {output.name!r} shows no tensor")


def _state(graph: QuantisedGraph, state: State) -> None:
    where, tensor = f"the state {state.tensor!r}", graph.tensors[state.tensor]
    need(any(layer.output == state.update for layer in graph.layers), f"{where} takes over what no layer writes")
    update = graph.tensors[state.update]
    need(update == replace(tensor, name=update.name), f"{where} takes over a tensor of another kind")
    need(state.initial.shape == tensor.shape, f"{where} begins with the shape {state.initial.shape}")
    known = tensor.levels
    need(bool(np.isin(state.initial, known).all()), f"{where} begins with levels that it cannot hold")


def _tensor(tensor: QuantisedTensor) -> None:
    where = f"tensor {tensor.name!r}"
    need(min(tensor.shape) >= 1 and math.prod(tensor.shape) <= MOST_ELEMENTS, f"{where} has the shape {tensor.shape}")
    need(tensor.scale > 0, f"{where} has the scale {tensor.scale}")
    levels = (tensor.low, tensor.zero, tensor.high)
    need(bool(np.isin(levels, tensor.format.levels).all()), f"{where} has bounds that are no levels of its format")
    need(tensor.low <= tensor.high, f"{where} has the range {tensor.low} to {tensor.high}")
