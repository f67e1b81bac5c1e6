"""Recurrent operators (LSTM, GRU, RNN) as the plain operators that define them, written out step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx.numpy_helper
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper

__all__ = ["write_out_cells"]

_MOST_STEPS = 64
"""Of a sequence: each takes layers of its own. A step that keeps its states takes those of one."""

_USUAL = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@dataclass
class _Writer:
    """Nodes and constants that take the place of a node."""

    node: NodeProto
    constants: Mapping[str, NDArray[Any]]
    nodes: list[NodeProto] = field(default_factory=list)
    made: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def own(self) -> str:
        """The first output that the node has, which no other node writes."""
        return next(filter(None, self.node.output))

    def add(self, kind: str, inputs: Iterable[str], what: str, *, output: str = "", **attributes: Any) -> str:
        """A further node; gives its output."""
        name = f"{self.node.name or self.own}/{what}"
        output = output or f"{self.own}/{what}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=name, **attributes))
        return output

    def constant(self, what: str, value: NDArray[Any]) -> str:
        """A further initializer; gives its name."""
        name = f"{self.own}/{what}"
        self.made[name] = value
        return name

    def operand(self, position: int) -> str:
        """Name of an operand, empty if it is absent."""
        return self.node.input[position] if position < len(self.node.input) else ""

    def weights(self, position: int) -> NDArray[np.float64] | None:
        """A constant operand as float64; None if it is absent."""
        name = self.operand(position)
        return self.constants[name].astype(np.float64) if name else None


@dataclass(frozen=True)
class _Cell:
    """One direction of a recurrent node: weights (gates, H, I), (gates, H, H), biases (gates, H) each, functions."""

    kind: str
    inputs: NDArray[np.float64]
    again: NDArray[np.float64]
    bias: NDArray[np.float64]
    again_bias: NDArray[np.float64]
    functions: tuple[str, ...]
    reset_first: bool

    def step(self, w: _Writer, x: str, held: dict[str, str], at: str) -> dict[str, str]:
        """Values ``h`` (and ``c``) of (1, H) behind a step; ``held`` lacks those that are 0."""
        steps: dict[str, Callable[[_Writer, str, dict[str, str], str], dict[str, str]]] = {
            "LSTM": self._lstm, "GRU": self._gru, "RNN": self._rnn,
        }  # fmt: skip
        return steps[self.kind](w, x, held, at)

    def _sum(self, w: _Writer, gate: int, x: str, h: str | None, at: str, *, apart: bool = False) -> list[str]:
        """Sums of a gate before its function: one, or the input's and the state's ``apart``."""
        both = self.bias[gate] + (0 if apart else self.again_bias[gate])
        given = [self._dense(w, x, self.inputs[gate], both, f"{at}_in{gate}")]
        if h is None and apart:
            given.append(w.constant(f"{at}_none{gate}", self.again_bias[gate][np.newaxis].astype(np.float32)))
        elif h is not None:
            bias = self.again_bias[gate] if apart else np.zeros_like(both)
            given.append(self._dense(w, h, self.again[gate], bias, f"{at}_again{gate}"))
        if apart or len(given) == 1:
            return given
        return [w.add("Add", given, f"{at}_sum{gate}")]

    @staticmethod
    def _dense(w: _Writer, x: str, weights: NDArray, bias: NDArray, what: str) -> str:
        operands = [
            w.constant(f"{what}_w", weights.astype(np.float32)),
            w.constant(f"{what}_b", bias.astype(np.float32)),
        ]
        return w.add("Gemm", [x, *operands], what, transB=1)

    def _gate(self, w: _Writer, gate: int, function: int, x: str, h: str | None, at: str) -> str:
        (total,) = self._sum(w, gate, x, h, at)
        return w.add(self.functions[function], [total], f"{at}_gate{gate}")

    def _rnn(self, w: _Writer, x: str, held: dict[str, str], at: str) -> dict[str, str]:
        return {"h": self._gate(w, 0, 0, x, held.get("h"), at)}

    def _lstm(self, w: _Writer, x: str, held: dict[str, str], at: str) -> dict[str, str]:
        """``c = f*c + i*g``, ``h = o*tanh(c)``; gates in the order i, o, f, g."""
        h = held.get("h")
        i, o = (self._gate(w, gate, 0, x, h, at) for gate in (0, 1))
        c = w.add("Mul", [i, self._gate(w, 3, 1, x, h, at)], f"{at}_new")
        if "c" in held:
            kept = w.add("Mul", [self._gate(w, 2, 0, x, h, at), held["c"]], f"{at}_kept")
            c = w.add("Add", [kept, c], f"{at}_cell")
        return {"h": w.add("Mul", [o, w.add(self.functions[2], [c], f"{at}_shown")], f"{at}_hidden"), "c": c}

    def _gru(self, w: _Writer, x: str, held: dict[str, str], at: str) -> dict[str, str]:
        """``h = n + z*(h - n)``; gates in the order z, r, n, the last of which reads r times the state."""
        h = held.get("h")
        z = self._gate(w, 0, 0, x, h, at)
        if h is None and not self.reset_first:
            n = self._gate(w, 2, 1, x, None, at)
        else:
            r = self._gate(w, 1, 0, x, h, at)
            if self.reset_first:
                own, again = self._sum(w, 2, x, h, at, apart=True)
                total = w.add("Add", [own, w.add("Mul", [r, again], f"{at}_reset")], f"{at}_sum2")
            else:
                (total,) = self._sum(w, 2, x, w.add("Mul", [r, h or ""], f"{at}_reset"), at)
            n = w.add(self.functions[1], [total], f"{at}_gate2")
        if h is None:
            return {"h": w.add("Sub", [n, w.add("Mul", [z, n], f"{at}_part")], f"{at}_hidden")}
        away = w.add("Mul", [z, w.add("Sub", [h, n], f"{at}_away")], f"{at}_part")
        return {"h": w.add("Add", [n, away], f"{at}_hidden")}


def write_out_cells(model: ModelProto) -> bool:
    """Recurrent nodes over sequences of known length become plain ones; others stay, for the importer to refuse.

    Weights must be constant, functions the usual ones (Sigmoid, Tanh, Relu), without clip, peepholes, coupled gates and
    shorter sequences (`sequence_lens`). Shapes must have been inferred, with a batch of one.

    Returns
    -------
    bool
        Whether there were any.
    """
    graph = model.graph
    if not any(node.op_type in _GATES for node in graph.node):
        return False
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    nodes: list[NodeProto] = []
    for node in graph.node:
        writer = _Writer(node, constants)
        if node.op_type in _GATES and _written(writer, shapes.get(node.input[0], [])):
            nodes += writer.nodes
            graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in writer.made.items())
        else:
            nodes.append(node)
    if len(nodes) == len(graph.node):
        return False
    del graph.node[:]
    graph.node.extend(nodes)
    return True


def _written(w: _Writer, shape: list[int]) -> bool:
    """Write a node out; False if it is more than this knows."""
    node = w.node
    said = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    layout = said.pop("layout", 0)
    steps, batch = (shape[1], shape[0]) if layout and len(shape) == 3 else (shape or [0, 0])[:2]
    if len(shape) != 3 or batch != 1 or not 1 <= steps <= _MOST_STEPS:
        return False
    if any(w.operand(position) not in w.constants for position in (1, 2)) or w.operand(7):
        return False
    lengths = w.constants.get(w.operand(4))
    if w.operand(4) and (lengths is None or (lengths != steps).any()):
        return False
    cells = _cells(w, said)
    if cells is None:
        return False
    axis = 1 if layout else 0
    shown: list[list[str]] = []
    ends: list[dict[str, str]] = []
    for number, (cell, backward) in enumerate(cells):
        held = _first(w, number, axis)
        outputs = [""] * steps
        for step in reversed(range(steps)) if backward else range(steps):
            at = f"d{number}s{step}"
            index = w.constant(f"{at}_index", np.array(step, dtype=np.int64))
            x = w.add("Gather", [node.input[0], index], f"{at}_x", axis=axis)
            held = cell.step(w, x, held, at)
            outputs[step] = held["h"]
        shown.append(outputs)
        ends.append(held)
    _outputs(w, shown, ends, batch_first=bool(layout))
    return True


def _cells(w: _Writer, said: dict[str, Any]) -> list[tuple[_Cell, bool]] | None:
    """Cells by direction, and whether each runs backward; None if an attribute is not known."""
    kind = w.node.op_type
    direction = said.pop("direction", b"forward").decode()
    hidden, reset_first = said.pop("hidden_size", None), bool(said.pop("linear_before_reset", 0))
    weights, again = w.weights(1), w.weights(2)
    if weights is None or again is None:
        return None
    functions = [text.decode() for text in said.pop("activations", [])] or [*_USUAL[kind]] * len(weights)
    coupled = said.pop("input_forget", 0)
    own = len(_USUAL[kind])
    if said or coupled or len(functions) != own * len(weights) or not {*functions} <= {"Sigmoid", "Tanh", "Relu"}:
        return None
    gates, size = _GATES[kind], again.shape[2]
    if hidden not in (None, size) or weights.shape[1] != gates * size:
        return None
    bias = w.weights(3)
    bias = np.zeros((len(weights), 2 * gates * size)) if bias is None else bias
    backward = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}.get(direction, ())
    if len(backward) != len(weights):
        return None
    return [
        (
            _Cell(
                kind,
                weights[number].reshape(gates, size, -1),
                again[number].reshape(gates, size, size),
                bias[number, : gates * size].reshape(gates, size),
                bias[number, gates * size :].reshape(gates, size),
                tuple(functions[own * number : own * (number + 1)]),
                reset_first,
            ),
            back,
        )
        for number, back in enumerate(backward)
    ]


def _first(w: _Writer, number: int, axis: int) -> dict[str, str]:
    """What a direction begins with; what is 0 is left out."""
    held = {}
    for name, position in (("h", 5), ("c", 6)):
        operand = w.operand(position)
        known = w.constants.get(operand)
        if operand and (known is None or known.any()):
            index = w.constant(f"d{number}_first", np.array(number, dtype=np.int64))
            held[name] = w.add("Gather", [operand, index], f"d{number}_first_{name}", axis=axis)
    return held


def _outputs(w: _Writer, shown: list[list[str]], ends: list[dict[str, str]], *, batch_first: bool) -> None:
    """The node's own outputs: all steps (steps, directions, 1, H), and the last states (directions, 1, H).

    They are put together behind the batch axis, and turned where that is not the first.
    """
    given = [*w.node.output, "", "", ""]
    if given[0]:
        lines = []
        for number, outputs in enumerate(shown):
            wide = [w.add("Unsqueeze", [each, _axes(w, 1, 2)], f"d{number}_all{at}") for at, each in enumerate(outputs)]
            lines.append(w.add("Concat", wide, f"d{number}_all", axis=1))
        _turned(w, lines, "all", axis=2, order=None if batch_first else [1, 2, 0, 3], output=given[0])
    for name, output in (("h", given[1]), ("c", given[2])):
        if output:
            last = [w.add("Unsqueeze", [each[name], _axes(w, 1)], f"end{at}_{name}") for at, each in enumerate(ends)]
            _turned(w, last, f"end_{name}", axis=1, order=None if batch_first else [1, 0, 2], output=output)


def _turned(w: _Writer, values: list[str], what: str, *, axis: int, order: list[int] | None, output: str) -> None:
    joined = w.add("Concat", values, what, axis=axis)
    if order is None:
        w.add("Identity", [joined], f"{what}_own", output=output)
    else:
        w.add("Transpose", [joined], f"{what}_turned", output=output, perm=order)


def _axes(w: _Writer, *axes: int) -> str:
    return w.constant(f"axes{''.join(map(str, axes))}", np.array(axes, dtype=np.int64))
