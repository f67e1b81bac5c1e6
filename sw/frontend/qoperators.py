"""Operators that compute on codes (ONNX's and onnxruntime's QOperator format), as what they are with real values.

Each becomes a DequantizeLinear for every operand, the operator of real values, and a QuantizeLinear: their definition.
What follows then reads the QDQ format alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..errors import UnsupportedOperator

__all__ = ["write_out_qoperators"]

_LAST = -1


@dataclass
class _Writer:
    """Nodes and constants that take the place of a node."""

    node: NodeProto
    ranks: dict[str, int]
    constants: dict[str, TensorProto]
    nodes: list[NodeProto] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the node, or what it writes."""
        return self.node.name or self.node.output[0]

    def value(self, part: str) -> str:
        """Name of a value between the new nodes."""
        return f"{self.node.output[0]}/{part}"

    def given(self, position: int) -> str:
        """An operand's name; empty if it is absent."""
        return self.node.input[position] if position < len(self.node.input) else ""

    def add(self, kind: str, inputs: Sequence[str], output: str, *, name: str = "", **attributes: Any) -> str:
        """A further node; gives its output."""
        while inputs and not inputs[-1]:
            inputs = inputs[:-1]
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=name or output, **attributes))
        return output

    def constant(self, part: str, value: np.ndarray) -> str:
        """A further initializer."""
        name = self.value(part)
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def real(self, position: int, *, axis: int = 1) -> str:
        """Real value of the operand whose codes, scale and zero point begin at a position."""
        codes, scale, zero = (self.given(position + i) for i in range(3))
        return self.add("DequantizeLinear", [codes, scale, zero], self.value(f"real{position}"), axis=axis)

    def number(self, position: int, zero: str, *, axis: int = 1) -> str:
        """Distance of an operand's codes from their zero point."""
        one = np.ones(tuple(self.constants[zero].dims) if zero in self.constants else (), np.float32)
        scale = self.constant(f"one{position}", one)
        codes = self.given(position)
        return self.add("DequantizeLinear", [codes, scale, zero], self.value(f"number{position}"), axis=axis)

    def bias(self, position: int, scales: Sequence[int], factor: float = 1.0) -> str:
        """Real values of an int32 bias, whose scale is the product of others'; empty if there is none."""
        name = self.given(position)
        if not name:
            return ""
        product = np.float64(factor)
        for scale in map(self.given, scales):
            if scale not in self.constants:
                raise UnsupportedOperator(
                    f"operator {self.node.op_type} (node {self.name!r}) is not supported: its scales must be constant"
                )
            product = product * numpy_helper.to_array(self.constants[scale]).astype(np.float64)
        step = self.constant("bias_scale", np.asarray(product.reshape(-1) if product.ndim else product, np.float32))
        return self.add("DequantizeLinear", [name, step], self.value("bias"), axis=0)

    def attributes(self, *without: str) -> dict[str, Any]:
        """The node's, some left out."""
        return {a.name: helper.get_attribute_value(a) for a in self.node.attribute if a.name not in without}

    def rounded(self, kind: str, inputs: Sequence[str], scale: int, **attributes: Any) -> None:
        """The operator of real values and its quantiser; without a scale there is none."""
        if not self.given(scale):
            self.add(kind, inputs, self.node.output[0], name=self.name, **attributes)
            return
        result = self.add(kind, inputs, self.value("result"), name=self.name, **attributes)
        self.add("QuantizeLinear", [result, self.given(scale), self.given(scale + 1)], self.node.output[0])

    def channels_first(self, value: str, *, back: bool = False) -> str:
        """The value with its channels behind the batch, or at the end again."""
        rank = self.ranks.get(self.node.input[0], 4)
        order = [0, *range(2, rank), 1] if back else [0, rank - 1, *range(1, rank - 1)]
        return self.add("Transpose", [value], f"{value}/{'last' if back else 'first'}", perm=order)


def _conv(w: _Writer) -> None:
    weights = w.real(3, axis=0)
    w.rounded("Conv", [w.real(0), weights, w.bias(8, (1, 4))], 6, **w.attributes())


def _matmul(w: _Writer) -> None:
    w.rounded("MatMul", [w.real(0), w.real(3, axis=_LAST)], 6)


def _gemm(w: _Writer) -> None:
    attributes = w.attributes()
    transposed = bool(attributes.get("transB", 0))
    alpha = attributes.get("alpha", 1.0)
    bias = w.bias(6, (1, 4), float(alpha))
    w.rounded("Gemm", [w.real(0), w.real(3, axis=0 if transposed else 1), bias], 7, **attributes)


def _binary(kind: str) -> Callable[[_Writer], None]:
    return lambda w: w.rounded(kind, [w.real(0), w.real(3)], 6)


def _unary(kind: str, *without: str) -> Callable[[_Writer], None]:
    return lambda w: w.rounded(kind, [w.real(0)], 3, **w.attributes(*without))


def _pool(kind: str) -> Callable[[_Writer], None]:
    def write(w: _Writer) -> None:
        attributes = w.attributes("channels_last")
        if not w.attributes().get("channels_last", 0):
            w.rounded(kind, [w.real(0)], 3, **attributes)
            return
        result = w.add(kind, [w.channels_first(w.real(0))], w.value("result"), name=w.name, **attributes)
        last = w.channels_first(result, back=True)
        w.add("QuantizeLinear", [last, w.given(3), w.given(4)], w.node.output[0])

    return write


def _concat(w: _Writer) -> None:
    values = [w.real(position) for position in range(2, len(w.node.input), 3)]
    result = w.add("Concat", values, w.value("result"), name=w.name, **w.attributes())
    w.add("QuantizeLinear", [result, w.given(0), w.given(1)], w.node.output[0])


def _conv_integer(w: _Writer) -> None:
    values = [w.number(0, w.given(2)), w.number(1, w.given(3), axis=0)]
    w.add("Conv", values, w.node.output[0], name=w.name, **w.attributes())


def _matmul_integer(w: _Writer) -> None:
    values = [w.number(0, w.given(2)), w.number(1, w.given(3), axis=_LAST)]
    w.add("MatMul", values, w.node.output[0], name=w.name)


_MICROSOFT = "com.microsoft"

_QOPERATORS: dict[tuple[str, str], Callable[[_Writer], None]] = {
    ("", "QLinearConv"): _conv,
    ("", "QLinearMatMul"): _matmul,
    ("", "ConvInteger"): _conv_integer,
    ("", "MatMulInteger"): _matmul_integer,
    (_MICROSOFT, "QGemm"): _gemm,
    (_MICROSOFT, "QLinearAdd"): _binary("Add"),
    (_MICROSOFT, "QLinearMul"): _binary("Mul"),
    (_MICROSOFT, "QLinearAveragePool"): _pool("AveragePool"),
    (_MICROSOFT, "QLinearGlobalAveragePool"): _pool("GlobalAveragePool"),
    (_MICROSOFT, "QLinearConcat"): _concat,
    (_MICROSOFT, "QLinearLeakyRelu"): _unary("LeakyRelu"),
    (_MICROSOFT, "QLinearSigmoid"): _unary("Sigmoid"),
    (_MICROSOFT, "QLinearSoftmax"): _unary("Softmax", "opset"),
    (_MICROSOFT, "QLinearReduceMean"): _unary("ReduceMean"),
}
"""What writes out each operator, by its domain and name."""


def write_out_qoperators(model: ModelProto) -> None:
    """Puts nodes of real values and quantisers in the places of operators on codes.

    Quantisers of onnxruntime's own domain become the standard ones, which compute the same.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    known = set(constants)
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim) for value in (*graph.value_info, *graph.input, *graph.output)
    }
    nodes: list[NodeProto] = []
    for node in graph.node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants.setdefault(node.output[0], node.attribute[0].t)
            known.add(node.output[0])
        if domain == _MICROSOFT and node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.domain = ""
        writer = _QOPERATORS.get((domain, node.op_type))
        if writer is None:
            nodes.append(node)
            continue
        written = _Writer(node, ranks, constants)
        writer(written)
        nodes += written.nodes
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensor for name, tensor in constants.items() if name not in known)
