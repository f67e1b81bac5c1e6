"""Operators behind the last layer, which the host computes: from an ONNX node to a `HostFunction`.

One entry of `HOST` is one operator. What it becomes is computed by `heads.HOST_FUNCTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx.helper
from onnx import NodeProto, TensorProto

from ..curves import Function, X
from ..heads import REDUCTIONS, HostFunction
from .folding import OF_SHAPES
from .op_curve import FUNCTIONS, curve
from .op_normalisation import lp_normalization
from .op_quant import linear_grid, quant_grid
from .op_shape import REARRANGEMENTS, parts_of
from .op_softmax import softmax
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["HOST", "ONLY_HOST", "Hosted", "continue_head", "host_unless_inside", "host_where_joined", "leave_to_host"]


@dataclass(frozen=True, kw_only=True)
class Hosted:
    """A value of the model that the host computes: of what it reads, by which functions, and its shape with batch."""

    view: View
    head: tuple[HostFunction, ...]
    shape: tuple[int, ...]

    def reads_as(self, other: Hosted) -> bool:
        """Whether another one is computed of the same elements."""
        return self.view.tensor == other.view.tensor and np.array_equal(self.view.index, other.view.index)


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


Handler = Callable[["Importer", NodeProto], None]
Made = tuple[str, dict[str, Any]]
Entry = Callable[[_Operand], Made | list[Made]]
"""Gives kind and attributes of the function; of an operator with several outputs, those of each."""


def _curve(function: Function) -> Made:
    return "curve", {"function": function.to_plain()}


def _softmax(kind: str) -> Entry:
    def entry(operand: _Operand) -> Made:
        if operand.importer.opset >= 13:
            return kind, {"axes": operand.axes(operand.attributes.get("axis", -1))}
        first = operand.axes(operand.attributes.get("axis", 1))[0]  # up to opset 12 all axes from there on are one
        return kind, {"axes": list(range(first, len(operand.shape)))}

    return entry


def _arg(extreme: str) -> Entry:
    def entry(operand: _Operand) -> Made:
        attributes = operand.attributes
        (axis,) = operand.axes(attributes.get("axis", 0))
        keep, last = bool(attributes.get("keepdims", 1)), bool(attributes.get("select_last_index", 0))
        return "arg", {"extreme": extreme, "axis": axis, "keep": keep, "last": last}

    return entry


def _normalise(operand: _Operand) -> Made:
    (axis,) = operand.axes(operand.attributes.get("axis", -1))
    return "normalise", {"axis": axis, "order": operand.attributes.get("p", 2)}


def _reduce(operator: str) -> Entry:
    def entry(operand: _Operand) -> Made:
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
    def entry(operand: _Operand) -> Made:
        constant = operand.importer.constant(operand.node, 1 - operand.position)
        if len(operand.node.input) != 2 or constant is None:
            raise operand.importer.unsupported(operand.node, "behind the last layer its operand must be constant")
        if constant.ndim > len(operand.shape) or (constant.ndim == len(operand.shape) and constant.shape[0] != 1):
            raise operand.importer.unsupported(
                operand.node, "its constant is no part of a sample: give it a batch axis of 1"
            )
        return "arithmetic", {"operator": operator, "operand": constant.tolist(), "reverse": operand.position == 1}

    return entry


def _element(operand: _Operand) -> Made:
    return _curve(FUNCTIONS[operand.node.op_type](operand.attributes))


def _negate(operand: _Operand) -> Made:
    return _curve(Function("mul", (X, -1.0)))


def _clip(operand: _Operand) -> Made:
    attributes, ends = operand.attributes, []
    for position, name, open_end in ((1, "min", -np.inf), (2, "max", np.inf)):
        bound = operand.importer.constant(operand.node, position)
        if bound is None and len(operand.node.input) > position and operand.node.input[position]:
            raise operand.importer.unsupported(operand.node, "its bounds must be constant")
        ends.append(float(attributes.get(name, open_end) if bound is None else bound))
    return _curve(Function("clip", (X, *ends)))


def _cast(operand: _Operand) -> Made:
    wanted = onnx.helper.tensor_dtype_to_np_dtype(operand.attributes["to"])
    if wanted.kind not in "fiub" or operand.attributes["to"] == TensorProto.BFLOAT16:
        raise operand.importer.unsupported(operand.node, "the host casts to integers, truths and floats only")
    return "cast", {"type": "float64" if wanted.kind == "f" else wanted.name}


def _rearranged(operand: _Operand) -> Made:
    if operand.node.op_type == "Cast":
        return _cast(operand)
    size = int(np.prod(operand.shape))
    index = REARRANGEMENTS[operand.node.op_type](operand.importer, operand.node, np.arange(size).reshape(operand.shape))
    if index.ndim == 0 or index.shape[0] != 1:
        raise operand.importer.unsupported(operand.node, "it moves the batch axis: leave that first")
    order = None if np.array_equal(index.ravel(), np.arange(size)) else index.ravel().tolist()
    return "rearrange", {"shape": list(index.shape[1:]), "order": order}


def _top(operand: _Operand) -> list[Made]:
    attributes, k = operand.attributes, operand.importer.constant(operand.node, 1)
    (axis,) = operand.axes(attributes.get("axis", -1))
    count = attributes.get("k") if k is None else int(k.item())
    if count is None:
        raise operand.importer.unsupported(operand.node, "its k must be constant")
    how = {"k": count, "axis": axis, "largest": bool(attributes.get("largest", 1))}
    return [("top", {"what": what, **how}) for what in ("values", "indices")]


def _split(operand: _Operand) -> list[Made]:
    index = np.arange(int(np.prod(operand.shape))).reshape(operand.shape)
    parts = parts_of(operand.importer, operand.node, index)
    if operand.axes(operand.attributes.get("axis", 0)):
        return [("rearrange", {"shape": list(part.shape[1:]), "order": part.ravel().tolist()}) for part in parts]
    return []


def _expand(operand: _Operand) -> Made:
    target = operand.importer.constant(operand.node, 1)
    if target is None or len(target) != len(operand.shape) or target[0] != 1:
        raise operand.importer.unsupported(
            operand.node, "its shape must be constant, of as many axes, with a batch of 1"
        )
    return "expand", {"shape": [int(size) for size in np.broadcast_shapes(operand.shape, tuple(target))[1:]]}


def _quantised(operand: _Operand) -> Made:
    grid = linear_grid(operand.importer, operand.node)
    return "codes", {"scale": grid.scale, "zero": grid.zero, "type": "int8" if grid.low < 0 else "uint8"}


def _dequantised(operand: _Operand) -> Made:
    grid = linear_grid(operand.importer, operand.node)
    return _curve(Function("mul", (Function("sub", (X, float(grid.zero))), grid.scale)))


def _rounded(operand: _Operand) -> Made:
    grid = quant_grid(operand.importer, operand.node)
    return _curve(Function("quantise", (X, grid.scale, float(grid.zero), float(grid.low), float(grid.high))))


REDUCING = {f"Reduce{name.title().replace('_', '')}": name for name in REDUCTIONS}
"""Operators of `heads.REDUCTIONS`."""

_JOINING = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Greater", "Less", "Equal")
"""Operators of two values that are functions of one tensor."""

ONLY_HOST: dict[str, Entry] = {
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
    "ArgMax": _arg("max"),
    "ArgMin": _arg("min"),
    "TopK": _top,
    "LpNormalization": _normalise,
    "Greater": _arithmetic("greater"),
    "GreaterOrEqual": _arithmetic("greater_or_equal"),
    "Less": _arithmetic("less"),
    "LessOrEqual": _arithmetic("less_or_equal"),
    "Equal": _arithmetic("equal"),
    "ReduceLogSumExp": _reduce("log_sum_exp"),
}
"""Operators that have no layer: functions of one value, the others constant."""

_LAYERS: dict[str, Handler] = {
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "LpNormalization": lp_normalization,
}
"""What becomes of `ONLY_HOST` in the middle of a network."""

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
    | {"Split": _split, "Expand": _expand}
)
"""Operators that have layers, or move data, and that the host computes behind one of `ONLY_HOST`, or a Sigmoid."""

HOST: Mapping[str, Entry] = ONLY_HOST | _POINTWISE | {name: _reduce(REDUCING[name]) for name in REDUCING}
"""All operators that the host computes."""


def leave_to_host(importer: Importer, node: NodeProto) -> None:
    """Handler of `ONLY_HOST`: nothing but the host's operators may stand behind them, unless layers do it."""
    blocking, _ = _behind(importer, node, HOST)
    if blocking is not None and node.op_type in _LAYERS:
        _LAYERS[node.op_type](importer, node)
        return
    if blocking is not None:
        raise importer.unsupported(
            node,
            f"only the host can compute it, and {blocking.op_type} (node {importer.label(blocking)!r}) behind it "
            f"needs a layer{_BEGIN if _is_of_input(importer, node) else ''}",
        )
    importer.notes.append(f"{node.op_type} (node {importer.label(node)!r}) is left to the host")
    continue_head(importer, node)


_BEGIN = ": begin the model behind what compares its input, and give that as its input"


def _is_of_input(importer: Importer, node: NodeProto) -> bool:
    """Whether a node reads elements of the model's input as they are."""
    own = importer.input, importer.starts[importer.input].own
    return any(importer.views[name].tensor in own for name in node.input if name in importer.views)


def host_unless_inside(importer: Importer, node: NodeProto) -> None:
    """Handler of Sigmoid and Tanh: the host's where only pointwise operators and those of `ONLY_HOST` follow."""
    blocking, _ = _behind(importer, node, ONLY_HOST | _POINTWISE, alone=True)
    (leave_to_host if blocking is None else curve)(importer, node)


def host_where_joined(layer: Handler) -> Handler:
    """Handler of reductions: the host's where what it reads is divided by the result and the like, else ``layer``'s."""

    def handler(importer: Importer, node: NodeProto) -> None:
        blocking, joins = _behind(importer, node, HOST)
        (leave_to_host if blocking is None and joins else layer)(importer, node)

    return handler


def continue_head(importer: Importer, node: NodeProto) -> None:
    """Handler of every node that reads what the host computes."""
    sources = [(i, _hosted(importer, name)) for i, name in enumerate(node.input) if name not in importer.constants]
    sources = [(position, source) for position, source in sources if source is not None]
    position, source = sources[0]
    if node.op_type in HOST and len(sources) == 1:
        made = HOST[node.op_type](_Operand(importer, node, position, source.shape))
        for name, (kind, attributes) in zip(node.output, made if isinstance(made, list) else [made], strict=False):
            _add(importer, node, name, source, kind, attributes)
        return
    if node.op_type in _JOINING and len(sources) == 2 and source.reads_as(sources[1][1]):
        heads = [_of_rank(each, max(len(each.shape) for _, each in sources)) for _, each in sources]
        attributes = {"operator": node.op_type.lower(), "first": heads[0], "second": heads[1]}
        _add(importer, node, node.output[0], replace(source, head=(), shape=source.view.shape), "combined", attributes)
        return
    first = next(each.head[0] for _, each in sources if each.head)
    raise importer.unsupported(
        node, f"only functions of one tensor can follow {first.operator} {first.node!r}, which the host computes"
    )


def _hosted(importer: Importer, name: str) -> Hosted | None:
    """A value that the host computes, or reads as it is; None for an operand that is left out."""
    if name in importer.hosted:
        return importer.hosted[name]
    view = importer.views.get(name)
    return None if view is None else Hosted(view=view, head=(), shape=view.shape)


def _of_rank(source: Hosted, rank: int) -> list[dict[str, Any]]:
    """Its head as plain values, with axes of 1 behind the batch where another value has more axes."""
    plain = [function.to_plain() for function in source.head]
    if len(source.shape) == rank:
        return plain
    shape = [1] * (rank - len(source.shape)) + list(source.shape[1:])
    return [*plain, HostFunction(kind="rearrange", attributes={"shape": shape, "order": None}).to_plain()]


def _add(importer: Importer, node: NodeProto, name: str, source: Hosted, kind: str, attributes: dict[str, Any]) -> None:
    """Lets a value be a function of what the host computes of ``source``."""
    if kind == "rearrange" and attributes == {"shape": list(source.shape[1:]), "order": None}:
        importer.hosted[name] = source  # nothing changes
        return
    function = HostFunction(kind=kind, attributes=attributes, operator=node.op_type, node=importer.label(node))
    head, shape = (*source.head, function), function(np.zeros(source.shape)).shape
    importer.hosted[name] = Hosted(view=source.view, head=head, shape=shape)


def _behind(
    importer: Importer, start: NodeProto, allowed: Mapping[str, Entry], *, alone: bool = False
) -> tuple[NodeProto | None, bool]:
    """The first node behind another that is none of ``allowed`` operators on what derives from its operand, if any.

    And whether one behind it joins two values. ``alone``: each must be a function of one value, unless only the host
    can compute the other.
    """
    constant = set(importer.constants)
    derived = {name for name in start.input if name not in constant}
    behind, only_host, joins = set(start.output), set(), False
    for node in importer.model.graph.node:
        values = {name for name in node.input if name and name not in constant}
        if not values or node.op_type in OF_SHAPES:
            constant.update(node.output)
            continue
        together = len(values) == 1 or not alone or not values.isdisjoint(only_host)
        fits = values <= derived and (node.op_type in allowed or node is start) and together
        if fits:
            derived.update(node.output)
        if fits and (node.op_type in ONLY_HOST or not values.isdisjoint(only_host)):
            only_host.update(node.output)
        if values & behind:
            if not fits:
                return node, joins
            joins = joins or len(values) > 1
            behind.update(node.output)
    return None, joins
