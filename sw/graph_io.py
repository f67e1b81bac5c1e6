"""The quantised graph as plain JSON values and named arrays, and back: what a program file stores of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.formats import parse_format
from .heads import HostFunction
from .outputs import Output
from .quantised import HeldSegment, InputSpec, LevelTable, MacLayer, MaxLayer, QuantisedGraph, QuantisedTensor, Segment
from .records import read_record
from .states import State
from .validate import MOST_ELEMENTS, validate_graph

__all__ = ["graph_from_parts", "graph_to_parts"]

_MAC_ARRAYS = ("bias", "multiplicand", "shift")


def graph_to_parts(graph: QuantisedGraph) -> tuple[dict[str, Any], dict[str, NDArray[np.signedinteger]]]:
    """Structure (JSON values only) and arrays of a graph.

    Returns
    -------
    structure : dict
    arrays : dict of signed integer arrays, each of the narrowest type that holds it
        Bias, multiplicand, shift ``layer<n>.<field>``, weights ``layer<n>.segment<m>.weights``, levels
        ``layer<n>.table``, orders of outputs ``output<n>.order`` and first levels of states ``state<n>.initial``.
    """
    arrays: dict[str, NDArray[np.signedinteger]] = {}
    layers: list[dict[str, Any]] = []
    for index, layer in enumerate(graph.layers):
        if isinstance(layer, MaxLayer):
            layers.append({"kind": "max", **_plain(layer)})
            continue
        key = f"layer{index}"
        segments = []
        for number, segment in enumerate(layer.segments):
            if isinstance(segment, HeldSegment):
                segments.append(_plain(segment, without=("weights",)))
                continue
            arrays[f"{key}.segment{number}.weights"] = _narrowed(segment.weights)
            segments.append(_plain(segment, without=("weights",)))
        arrays |= {f"{key}.{name}": _narrowed(getattr(layer, name)) for name in _MAC_ARRAYS}
        ordinary = ("enlarge",) if layer.enlarge == (1, 1) else ()
        plain = _plain(layer, without=("segments", "table", *ordinary, *_MAC_ARRAYS))
        if layer.table is not None:
            arrays[f"{key}.table"] = _narrowed(layer.table.levels)
            plain["table"] = _plain(layer.table, without=("levels",))
        layers.append({"kind": "mac", **plain, "segments": segments})
    for number, output in enumerate(graph.outputs):
        if output.order is not None:
            arrays[f"output{number}.order"] = _narrowed(output.order)
    for number, state in enumerate(graph.states):
        arrays[f"state{number}.initial"] = _narrowed(state.initial)
    structure = {
        "name": graph.name,
        "tensors": [
            {**_plain(tensor, without=("format",)), "format": tensor.format.name} for tensor in graph.tensors.values()
        ],
        "input": _plain(graph.input),
        "layers": layers,
        "outputs": [
            {**_plain(output, without=("order", "head")), "head": [_plain(function) for function in output.head]}
            for output in graph.outputs
        ],
    }
    if graph.states:
        structure["states"] = [_plain(state, without=("initial",)) for state in graph.states]
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
            read_record(State, values, initial=_widened(arrays[f"state{number}.initial"]))
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
) -> MacLayer | MaxLayer:
    values = dict(values)
    kind = values.pop("kind")
    if kind == "max":
        return read_record(MaxLayer, values)
    if kind != "mac":
        raise ValueError(f"unknown layer kind {kind!r}")
    segments = tuple(
        _segment(segment, arrays.get(f"{key}.segment{number}.weights"), tensors)
        for number, segment in enumerate(values.pop("segments"))
    )
    plain = values.pop("table", None)
    table = None if plain is None else read_record(LevelTable, plain, levels=_widened(arrays[f"{key}.table"]))
    numbers = {name: _widened(arrays[f"{key}.{name}"]) for name in _MAC_ARRAYS}
    return read_record(MacLayer, values, segments=segments, table=table, **numbers)


def _segment(
    values: Mapping[str, Any], weights: NDArray[Any] | None, tensors: Mapping[str, QuantisedTensor]
) -> Segment:
    if "held" not in values:
        if weights is None:
            raise ValueError("a segment has no weights")
        return read_record(Segment, values, weights=_widened(weights))
    segment = read_record(HeldSegment, values, weights=np.zeros(0, dtype=np.int64))
    source, held = (tensors[name].shape for name in (segment.source, segment.held))
    return replace(segment, weights=HeldSegment.blank(source, held, depthwise=segment.depthwise))


def _output(values: Mapping[str, Any], order: NDArray[Any] | None, tensors: Mapping[str, QuantisedTensor]) -> Output:
    values = dict(values)
    head = tuple(read_record(HostFunction, function) for function in values.pop("head"))
    output = read_record(Output, values, head=head, order=None if order is None else _widened(order))
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


def _narrowed(values: NDArray[np.int64]) -> NDArray[np.signedinteger]:
    values = np.asarray(values, dtype=np.int64)
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    for dtype in (np.int8, np.int16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return values.astype(dtype)
    return values


def _widened(values: NDArray[Any]) -> NDArray[np.int64]:
    if values.dtype.kind != "i":
        raise TypeError(f"an array of {values.dtype} where integers belong")
    return values.astype(np.int64)


def _plain(record: Any, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Fields of a dataclass as JSON values: numpy scalars become Python's, tuples lists."""
    return {
        field.name: _json_value(getattr(record, field.name)) for field in fields(record) if field.name not in without
    }


def _json_value(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_json_value(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
