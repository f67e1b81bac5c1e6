"""Operators behind the last layer, which the host computes: from an ONNX node to a `HostFunction`.

One entry of `HOST` is one operator. What it becomes is computed by `heads.HOST_FUNCTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx.helper
from onnx import NodeProto, TensorProto

from ..curves import Function, X
from ..heads import REDUCTIONS, HostFunction
from .op_curve import FUNCTIONS, curve
from .op_quant import linear_grid, quant_grid
from .op_shape import REARRANGEMENTS
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["HOST", "ONLY_HOST", "Hosted", "continue_head", "host_unless_inside", "leave_to_host"]


@dataclass(frozen=True, kw_only=True)
class Hosted:
    """A value of the model that the host computes: of what it reads, by which functions, and its shape with batch."""

    view: View
    head: tuple[HostFunction, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Operand:
    """What an entry of `HOST` is made of: the importer, the node, which operand is the value, and its shape."""

    importer: Importer
    node: NodeProto
    position: int
    shape: tuple[int, ...]

    @property
    def attributes(self) -> dict[str, Any]:
        """The node's."""
        return self.importer.attributes(self.node)

    def axes(self, given: Any) -> list[int]:
        """Axes from 1 on; the batch cannot be among them."""
        axes = sorted({int(axis) % len(self.shape) for axis in np.ravel(given)})
        if 0 in axes:
            raise self.importer.unsupported(self.node, "it works along the batch axis: leave that alone")
        return axes


Entry = Callable[[_Operand], tuple[str, dict[str, Any]]]


def _curve(function: Function) -> tuple[str, dict[str, Any]]:
    return "curve", {"function": function.to_plain()}


def _softmax(kind: str) -> Entry:
    def entry(operand: _Operand) -> tuple[str, dict[str, Any]]:
        if operand.importer.opset >= 13:
            return kind, {"axes": operand.axes(operand.attributes.get("axis", -1))}
        first = operand.axes(operand.attributes.get("axis", 1))[0]  # up to opset 12 all axes from there on are one
        return kind, {"axes": list(range(first, len(operand.shape)))}

    return entry


def _arg(extreme: str) -> Entry:
    def entry(operand: _Operand) -> tuple[str, dict[str, Any]]:
        attributes = operand.attributes
        (axis,) = operand.axes(attributes.get("axis", 0))
        keep, last = bool(attributes.get("keepdims", 1)), bool(attributes.get("select_last_index", 0))
        return "arg", {"extreme": extreme, "axis": axis, "keep": keep, "last": last}

    return entry


def _normalise(operand: _Operand) -> tuple[str, dict[str, Any]]:
    (axis,) = operand.axes(operand.attributes.get("axis", -1))
    return "normalise", {"axis": axis, "order": operand.attributes.get("p", 2)}


def _reduce(operator: str) -> Entry:
    def entry(operand: _Operand) -> tuple[str, dict[str, Any]]:
        attributes, given = operand.attributes, operand.importer.constant(operand.node, 1)
        axes = attributes.get("axes") if given is None or not given.size else given
        if axes is None and attributes.get("noop_with_empty_axes", 0):
            return "rearrange", {"shape": list(operand.shape[1:]), "order": None}
        axes = range(len(operand.shape)) if axes is None else axes
        return "reduce", {
            "operator": operator,
            "axes": operand.axes(axes),
            "keep": bool(attributes.get("keepdims", 1)),
        }

    return entry


def _arithmetic(operator: str) -> Entry:
    def entry(operand: _Operand) -> tuple[str, dict[str, Any]]:
        constant = operand.importer.constant(operand.node, 1 - operand.position)
        if len(operand.node.input) != 2 or constant is None:
            raise operand.importer.unsupported(operand.node, "behind the last layer its operand must be constant")
        if constant.ndim == len(operand.shape) and constant.shape[0] != 1:
            raise operand.importer.unsupported(operand.node, "its constant has a batch axis of its own: make it 1")
        return "arithmetic", {"operator": operator, "operand": constant.tolist(), "reverse": operand.position == 1}

    return entry


def _element(operand: _Operand) -> tuple[str, dict[str, Any]]:
    return _curve(FUNCTIONS[operand.node.op_type](operand.attributes))


def _negate(operand: _Operand) -> tuple[str, dict[str, Any]]:
    return _curve(Function("mul", (X, -1.0)))


def _clip(operand: _Operand) -> tuple[str, dict[str, Any]]:
    attributes, ends = operand.attributes, []
    for position, name, open_end in ((1, "min", -np.inf), (2, "max", np.inf)):
        bound = operand.importer.constant(operand.node, position)
        if bound is None and len(operand.node.input) > position and operand.node.input[position]:
            raise operand.importer.unsupported(operand.node, "its bounds must be constant")
        ends.append(float(attributes.get(name, open_end) if bound is None else bound))
    return _curve(Function("clip", (X, *ends)))


def _cast(operand: _Operand) -> tuple[str, dict[str, Any]]:
    wanted = onnx.helper.tensor_dtype_to_np_dtype(operand.attributes["to"])
    if wanted.kind not in "fiub" or operand.attributes["to"] == TensorProto.BFLOAT16:
        raise operand.importer.unsupported(operand.node, "the host casts to integers, truths and floats only")
    return "cast", {"type": "float64" if wanted.kind == "f" else wanted.name}


def _rearranged(operand: _Operand) -> tuple[str, dict[str, Any]]:
    if operand.node.op_type == "Cast":
        return _cast(operand)
    size = int(np.prod(operand.shape))
    index = REARRANGEMENTS[operand.node.op_type](operand.importer, operand.node, np.arange(size).reshape(operand.shape))
    if index.ndim == 0 or index.shape[0] != 1:
        raise operand.importer.unsupported(operand.node, "it moves the batch axis: leave that first")
    order = None if np.array_equal(index.ravel(), np.arange(size)) else index.ravel().tolist()
    return "rearrange", {"shape": list(index.shape[1:]), "order": order}


def _quantised(operand: _Operand) -> tuple[str, dict[str, Any]]:
    grid = linear_grid(operand.importer, operand.node)
    return "codes", {"scale": grid.scale, "zero": grid.zero, "type": "int8" if grid.low < 0 else "uint8"}


def _dequantised(operand: _Operand) -> tuple[str, dict[str, Any]]:
    grid = linear_grid(operand.importer, operand.node)
    return _curve(Function("mul", (Function("sub", (X, float(grid.zero))), grid.scale)))


def _rounded(operand: _Operand) -> tuple[str, dict[str, Any]]:
    grid = quant_grid(operand.importer, operand.node)
    return _curve(Function("quantise", (X, grid.scale, float(grid.zero), float(grid.low), float(grid.high))))


ONLY_HOST: dict[str, Entry] = {
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
    "ArgMax": _arg("max"),
    "ArgMin": _arg("min"),
    "LpNormalization": _normalise,
    "Greater": _arithmetic("greater"),
    "GreaterOrEqual": _arithmetic("greater_or_equal"),
    "Less": _arithmetic("less"),
    "LessOrEqual": _arithmetic("less_or_equal"),
    "Equal": _arithmetic("equal"),
}
"""Operators that have no layer: functions of one value, the others constant."""

_POINTWISE: dict[str, Entry] = (
    dict.fromkeys(FUNCTIONS, _element)
    | {name: _arithmetic(name.lower()) for name in ("Add", "Sub", "Mul", "Div", "Max", "Min")}
    | {
        "Neg": _negate,
        "Clip": _clip,
        "Relu": lambda operand: _curve(Function("clip", (X, 0.0, np.inf))),
        "QuantizeLinear": _quantised,
        "DequantizeLinear": _dequantised,
        "Quant": _rounded,
    }
    | dict.fromkeys(REARRANGEMENTS, _rearranged)
)
"""Operators that have layers, or move data, and that the host computes behind one of `ONLY_HOST`, or a Sigmoid."""

HOST: Mapping[str, Entry] = ONLY_HOST | _POINTWISE | {f"Reduce{name.title()}": _reduce(name) for name in REDUCTIONS}
"""All operators that the host computes."""


def leave_to_host(importer: Importer, node: NodeProto) -> None:
    """Handler of `ONLY_HOST`: nothing but the host's operators may stand behind them."""
    position = next((i for i, name in enumerate(node.input) if name in importer.views), 0)
    view = importer.view(node, position)
    blocking = _first_inside(importer, node.output[0], HOST)
    if blocking is not None:
        raise importer.unsupported(
            node,
            f"only the host can compute it, and {blocking.op_type} (node {importer.label(blocking)!r}) behind it "
            "needs a layer",
        )
    importer.notes.append(f"{node.op_type} (node {importer.label(node)!r}) is left to the host")
    _compute(importer, node, position, Hosted(view=view, head=(), shape=view.shape))


def host_unless_inside(importer: Importer, node: NodeProto) -> None:
    """Handler of Sigmoid and Tanh: the host's where only pointwise operators and those of `ONLY_HOST` follow."""
    if _first_inside(importer, node.output[0], ONLY_HOST | _POINTWISE) is None:
        leave_to_host(importer, node)
    else:
        curve(importer, node)


def continue_head(importer: Importer, node: NodeProto) -> None:
    """Handler of every node that reads what the host computes."""
    positions = [position for position, name in enumerate(node.input) if name in importer.hosted]
    source = importer.hosted[node.input[positions[0]]]
    if len(positions) > 1 or node.op_type not in HOST:
        first = source.head[0]
        raise importer.unsupported(
            node, f"only functions of one value can follow {first.operator} {first.node!r}, which the host computes"
        )
    _compute(importer, node, positions[0], source)


def _compute(importer: Importer, node: NodeProto, position: int, source: Hosted) -> None:
    """Adds the node's function to what the host computes of ``source``."""
    kind, attributes = HOST[node.op_type](_Operand(importer, node, position, source.shape))
    if kind == "rearrange" and attributes == {"shape": list(source.shape[1:]), "order": None}:
        importer.hosted[node.output[0]] = source  # nothing changes
        return
    function = HostFunction(kind=kind, attributes=attributes, operator=node.op_type, node=importer.label(node))
    head = (*source.head, function)
    shape = function(np.zeros(source.shape)).shape
    importer.hosted[node.output[0]] = Hosted(view=source.view, head=head, shape=shape)


def _first_inside(importer: Importer, name: str, allowed: Mapping[str, Entry]) -> NodeProto | None:
    """The first node behind a value that is none of ``allowed`` operators on it and constants alone."""
    seen, pending = {name}, [name]
    while pending:
        value = pending.pop()
        for node in importer.model.graph.node:
            if value not in node.input:
                continue
            others = [each for each in node.input if each and each != value and each not in importer.constants]
            if node.op_type not in allowed or others:
                return node
            if node.output[0] not in seen:
                seen.add(node.output[0])
                pending.append(node.output[0])
    return None
