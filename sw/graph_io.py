"""The quantised graph as plain JSON values and named arrays, and back: what a program file stores of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.formats import parse_format
from .heads import HostFunction
from .integer.checks import MOST_ELEMENTS
from .integer.kinds import KINDS
from .integer.parts import narrowed, plain, widened
from .outputs import Output
from .quantised import InputSpec, IntegerLayer, QuantisedGraph, QuantisedTensor
from .records import read_record
from .states import State
from .validate import validate_graph

__all__ = ["graph_from_parts", "graph_to_parts"]


def graph_to_parts(graph: QuantisedGraph) -> tuple[dict[str, Any], dict[str, NDArray[np.signedinteger]]]:
    """Structure (JSON values only) and arrays of a graph.

    Returns
    -------
    structure : dict
    arrays : dict of signed integer arrays, each of the narrowest type that holds it
        Those of layers, whose names begin with ``layer<n>``, orders of outputs ``output<n>.order`` and first levels of
        states ``state<n>.initial``.
    """
    arrays: dict[str, NDArray[np.signedinteger]] = {}
    layers: list[dict[str, Any]] = []
    for index, layer in enumerate(graph.layers):
        values, own = layer.to_parts(f"layer{index}")
        layers.append({"kind": layer.kind, **values})
        arrays |= own
    for number, output in enumerate(graph.outputs):
        if output.order is not None:
            arrays[f"output{number}.order"] = narrowed(output.order)
    for number, state in enumerate(graph.states):
        arrays[f"state{number}.initial"] = narrowed(state.initial)
    structure = {
        "name": graph.name,
        "tensors": [
            {**plain(tensor, without=("format",)), "format": tensor.format.name} for tensor in graph.tensors.values()
        ],
        "input": plain(graph.input),
        "layers": layers,
        "outputs": [
            {**plain(output, without=("order", "head")), "head": [plain(function) for function in output.head]}
            for output in graph.outputs
        ],
    }
    if graph.states:
        structure["states"] = [plain(state, without=("initial",)) for state in graph.states]
    return structure, arrays


def graph_from_parts(structure: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> QuantisedGraph:
    """The graph again; the inverse of :func:`graph_to_parts`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a part is missing, unknown or of the wrong kind, or parts do not fit each other (`validate_graph`).
    """
    tensors = [_tensor(values) for values in structure["tensors"]]
    by_name = {tensor.name: tensor for tensor in tensors}
    if len(by_name) != len(tensors):
        raise ValueError("two tensors have one name")
    graph = QuantisedGraph(
        name=_text(structure["name"]),
        tensors=by_name,
        input=read_record(InputSpec, structure["input"]),
        layers=tuple(
            _layer(values, f"layer{index}", arrays, by_name) for index, values in enumerate(structure["layers"])
        ),
        outputs=tuple(
            _output(values, arrays.get(f"output{number}.order"), by_name)
            for number, values in enumerate(structure["outputs"])
        ),
        states=tuple(
            read_record(State, values, initial=widened(arrays[f"state{number}.initial"]))
            for number, values in enumerate(structure.get("states", ()))
        ),
    )
    validate_graph(graph)
    return graph


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a name is {value!r}")
    return value


def _tensor(values: Mapping[str, Any]) -> QuantisedTensor:
    values = dict(values)
    return read_record(QuantisedTensor, values, format=parse_format(_text(values.pop("format"))))


def _layer(
    values: Mapping[str, Any], key: str, arrays: Mapping[str, NDArray[Any]], tensors: Mapping[str, QuantisedTensor]
) -> IntegerLayer:
    values = dict(values)
    kind = values.pop("kind")
    if kind not in KINDS:
        raise ValueError(f"unknown layer kind {kind!r}")
    return KINDS[kind].from_parts(values, key, arrays, tensors)


def _output(values: Mapping[str, Any], order: NDArray[Any] | None, tensors: Mapping[str, QuantisedTensor]) -> Output:
    values = dict(values)
    head = tuple(read_record(HostFunction, function) for function in values.pop("head"))
    output = read_record(Output, values, head=head, order=None if order is None else widened(order))
    shape = tensors[output.tensor].shape
    size, elements = math.prod(shape), math.prod(output.shape)
    fits = size <= MOST_ELEMENTS and min(output.shape, default=1) >= 0
    if output.order is None:
        fits = fits and elements == size
    else:
        fits = fits and output.order.shape == (elements,)
        fits = fits and bool(((output.order >= 0) & (output.order < size)).all())
    if not fits:
        raise ValueError(f"the order of output {output.name!r} does not fit it")
    try:
        output.given(np.zeros((1, *shape)))
    except Exception as error:  # whatever numpy makes of attributes that do not fit
        raise ValueError(f"what the host computes of output {output.name!r} does not fit it: {error}") from error
    return output
