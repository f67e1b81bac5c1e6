"""ONNX files that parse and mean harm: extreme attributes and shapes, names that clash, graphs that blow up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

__all__ = ["HARMS", "hostile"]

_EXTREMES = (0, -1, 1, 3, 255, 65537, 1 << 30, (1 << 31) - 1, 1 << 40, (1 << 63) - 1, -(1 << 63))
_NAMES = ("", "x", "[/]", "[bold]", "../../x", "*/ int x; /*", "a\nb", "\0", "é" * 40, "n" * 5000, "<script>", "%s%n")


def _pick(rng: np.random.Generator, values: object) -> object:
    items = list(values)  # type: ignore[call-overload]
    return items[int(rng.integers(len(items)))]


def _attribute(model: ModelProto, rng: np.random.Generator) -> None:
    """An attribute of some node has another value."""
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    if not attributes:
        return
    attribute = attributes[int(rng.integers(len(attributes)))]
    if attribute.ints:
        attribute.ints[int(rng.integers(len(attribute.ints)))] = int(rng.choice(_EXTREMES))
        if not rng.integers(4):
            del attribute.ints[-1]
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = int(rng.choice(_EXTREMES))
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = float(rng.choice([0, -1, 1e38, np.nan, np.inf]))
    else:
        attribute.s = bytes(rng.bytes(3))


def _new_attribute(model: ModelProto, rng: np.random.Generator) -> None:
    """A node has an attribute more, perhaps of the wrong kind."""
    node = model.graph.node[int(rng.integers(len(model.graph.node)))]
    names = ("strides", "pads", "dilations", "kernel_shape", "group", "axis", "alpha", "auto_pad", "perm", "epsilon")
    values = (3, [0, 0], [1 << 40] * 2, [-1] * 4, 0.5, "SAME_UPPER", "NONSENSE", [0] * 1000)
    node.attribute.append(helper.make_attribute(str(_pick(rng, names)), _pick(rng, values)))


def _dimension(model: ModelProto, rng: np.random.Generator) -> None:
    """A tensor, an input or an output says another shape."""
    value = int(rng.choice(_EXTREMES))
    if rng.integers(2) and model.graph.initializer:
        tensor = model.graph.initializer[int(rng.integers(len(model.graph.initializer)))]
        if tensor.dims and rng.integers(2):
            tensor.dims[int(rng.integers(len(tensor.dims)))] = value
        elif tensor.dims:
            del tensor.dims[-1]
        else:
            tensor.dims.append(value)
        return
    infos = [*model.graph.input, *model.graph.output]
    dims = infos[int(rng.integers(len(infos)))].type.tensor_type.shape.dim
    if dims and rng.integers(2):
        dims[int(rng.integers(len(dims)))].dim_value = value
    elif dims and rng.integers(2):
        dims[int(rng.integers(len(dims)))].dim_param = "n"
    elif dims:
        del dims[-1]


def _edge(model: ModelProto, rng: np.random.Generator) -> None:
    """A node reads or writes something else: cycles, missing values, values written twice."""
    names = sorted({name for node in model.graph.node for name in (*node.input, *node.output)} | {"", "nothing"})
    node = model.graph.node[int(rng.integers(len(model.graph.node)))]
    side = node.input if rng.integers(2) and node.input else node.output
    side[int(rng.integers(len(side)))] = str(_pick(rng, names))
    if not rng.integers(4):
        side.append(str(_pick(rng, names)))


def _operator(model: ModelProto, rng: np.random.Generator) -> None:
    """A node is of another operator, with the operands that it has."""
    kinds = ("Conv", "Gemm", "MatMul", "Reshape", "Slice", "Pad", "Resize", "Transpose", "Concat", "Split", "Gather")
    more = ("Softmax", "Add", "Mul", "Tile", "Expand", "Loop", "If", "QuantizeLinear", "LSTM", "Nonsense", "MaxPool")
    model.graph.node[int(rng.integers(len(model.graph.node)))].op_type = str(_pick(rng, kinds + more))


def _rename(model: ModelProto, rng: np.random.Generator) -> None:
    """Names that nobody expects, of nodes, values or the graph."""
    name = str(_pick(rng, _NAMES))
    kind = int(rng.integers(3))
    if kind == 0:
        model.graph.name = name
    elif kind == 1:
        model.graph.node[int(rng.integers(len(model.graph.node)))].name = name
    else:
        old = model.graph.input[0].name
        model.graph.input[0].name = name
        for node in model.graph.node:
            for index, read in enumerate(node.input):
                if read == old:
                    node.input[index] = name


def _blow_up(model: ModelProto, rng: np.random.Generator) -> None:
    """A constant of many elements, made by few bytes, is added to what a node reads."""
    shape = [[1 << 30], [1 << 16, 1 << 16], [1 << 40], [-1], [1, 1, 1 << 28]][int(rng.integers(5))]
    node = model.graph.node[int(rng.integers(len(model.graph.node)))]
    if not node.input:
        return
    model.graph.initializer.append(helper.make_tensor("hostile_shape", TensorProto.INT64, [len(shape)], shape))
    kind = int(rng.integers(3))
    if kind == 0:
        made = helper.make_node("ConstantOfShape", ["hostile_shape"], ["hostile_constant"], name="hostile")
    elif kind == 1:
        made = helper.make_node("Expand", [node.input[-1], "hostile_shape"], ["hostile_constant"], name="hostile")
    else:
        made = helper.make_node("Tile", [node.input[-1], "hostile_shape"], ["hostile_constant"], name="hostile")
    node.input[int(rng.integers(len(node.input)))] = "hostile_constant"
    model.graph.node.insert(0, made)


def _chain(model: ModelProto, rng: np.random.Generator) -> None:
    """A long chain of nodes behind an output."""
    name = model.graph.output[0].name
    for node in model.graph.node:
        for index, written in enumerate(node.output):
            if written == name:
                node.output[index] = "hostile_0"
    kind, count = str(_pick(rng, ("Relu", "Identity", "Neg", "Sigmoid"))), int(rng.choice([300, 3000]))
    for number in range(count):
        output = name if number == count - 1 else f"hostile_{number + 1}"
        model.graph.node.append(helper.make_node(kind, [f"hostile_{number}"], [output], name=f"hostile_{number}"))


def _versions(model: ModelProto, rng: np.random.Generator) -> None:
    """Other versions, or none."""
    if rng.integers(2):
        model.ir_version = int(rng.choice([0, 1, 3, 99, 1 << 40]))
    elif rng.integers(2):
        del model.opset_import[:]
    elif model.opset_import:
        model.opset_import[0].version = int(rng.choice([0, 1, 5, 99, 1 << 40]))


HARMS: tuple[Callable[[ModelProto, np.random.Generator], None], ...] = (
    *(_attribute, _attribute, _new_attribute, _dimension, _dimension, _edge, _edge, _operator, _rename),
    *(_blow_up, _chain, _versions),
)
"""What is done to a model in place."""


def hostile(content: bytes, rng: np.random.Generator) -> bytes:
    """The model's file with one to three harms done to it."""
    model = onnx.load_from_string(content)
    for _ in range(int(rng.integers(1, 4))):
        HARMS[int(rng.integers(len(HARMS)))](model, rng)
    return model.SerializeToString()
