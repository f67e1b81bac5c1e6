"""The quantised graph as plain JSON values and named arrays, and back: what a program file stores of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.formats import parse_format
from .heads import HostFunction
from .outputs import Output
from .quantised import InputSpec, LevelTable, MacLayer, MaxLayer, QuantisedGraph, QuantisedTensor, Segment

__all__ = ["graph_from_parts", "graph_to_parts"]

_MAC_ARRAYS = ("bias", "multiplicand", "shift")


def graph_to_parts(graph: QuantisedGraph) -> tuple[dict[str, Any], dict[str, NDArray[np.signedinteger]]]:
    """Structure (JSON values only) and arrays of a graph.

    Returns
    -------
    structure : dict
    arrays : dict of signed integer arrays, each of the narrowest type that holds it
        Bias, multiplicand, shift ``layer<n>.<field>``, weights ``layer<n>.segment<m>.weights``, levels
        ``layer<n>.table`` and orders of outputs ``output<n>.order``.
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
            arrays[f"{key}.segment{number}.weights"] = _narrowed(segment.weights)
            segments.append(_plain(segment, without=("weights",)))
        arrays |= {f"{key}.{name}": _narrowed(getattr(layer, name)) for name in _MAC_ARRAYS}
        plain = _plain(layer, without=("segments", "table", *_MAC_ARRAYS))
        if layer.table is not None:
            arrays[f"{key}.table"] = _narrowed(layer.table.levels)
            plain["table"] = _plain(layer.table, without=("levels",))
        layers.append({"kind": "mac", **plain, "segments": segments})
    for number, output in enumerate(graph.outputs):
        if output.order is not None:
            arrays[f"output{number}.order"] = _narrowed(output.order)
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
    return structure, arrays


def graph_from_parts(structure: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> QuantisedGraph:
    """The graph again; the inverse of :func:`graph_to_parts`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a part is missing, unknown or of the wrong kind.
    """
    tensors = [
        QuantisedTensor(**_tuples({**values, "format": parse_format(values["format"])}))
        for values in structure["tensors"]
    ]
    layers: list[MacLayer | MaxLayer] = []
    for index, values in enumerate(structure["layers"]):
        values = dict(values)
        kind = values.pop("kind")
        if kind == "max":
            layers.append(MaxLayer(**_tuples(values)))
        elif kind == "mac":
            key = f"layer{index}"
            segments = tuple(
                Segment(**_tuples(segment), weights=_widened(arrays[f"{key}.segment{number}.weights"]))
                for number, segment in enumerate(values.pop("segments"))
            )
            values |= {name: _widened(arrays[f"{key}.{name}"]) for name in _MAC_ARRAYS}
            if "table" in values:
                values["table"] = LevelTable(**values["table"], levels=_widened(arrays[f"{key}.table"]))
            layers.append(MacLayer(**{**values, "origin": tuple(values["origin"])}, segments=segments))
        else:
            raise ValueError(f"unknown layer kind {kind!r}")
    return QuantisedGraph(
        name=structure["name"],
        tensors={tensor.name: tensor for tensor in tensors},
        input=InputSpec(**_tuples(structure["input"])),
        layers=tuple(layers),
        outputs=tuple(
            _output(values, arrays.get(f"output{number}.order"), {tensor.name: tensor for tensor in tensors})
            for number, values in enumerate(structure["outputs"])
        ),
    )


def _output(values: Mapping[str, Any], order: NDArray[Any] | None, tensors: Mapping[str, QuantisedTensor]) -> Output:
    head = tuple(HostFunction(**function) for function in values["head"])
    output = Output(**{**_tuples(values), "head": head}, order=None if order is None else _widened(order))
    shape = tensors[output.tensor].shape
    size, elements = int(np.prod(shape)), int(np.prod(output.shape))
    flat = np.arange(size) if output.order is None else output.order
    if flat.shape != (elements,) or (flat < 0).any() or (flat >= size).any():
        raise ValueError(f"the order of output {output.name!r} does not fit it")
    try:
        output.given(np.zeros((1, *shape)))
    except (ValueError, TypeError, KeyError, IndexError) as error:
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


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
