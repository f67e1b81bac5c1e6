"""Functions of single elements, of two tensors' elements, and over axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .records import TfliteNode

if TYPE_CHECKING:
    from .converter import Converter

__all__ = [
    "arg_max",
    "cast",
    "clamp",
    "gelu",
    "leaky_relu",
    "passed",
    "plain",
    "prelu",
    "reduce",
    "rsqrt",
    "softmax",
    "square",
    "squared_difference",
]

Handler = Callable[["Converter", TfliteNode], str]


def plain(kind: str) -> Handler:
    """Operators that are the same on any axis order."""

    def convert(converter: Converter, node: TfliteNode) -> str:
        values = [converter.operand(node, position) for position in range(len(node.inputs))]
        return converter.emit(kind, values, converter.label(node))

    return convert


def passed(converter: Converter, node: TfliteNode) -> str:
    """QUANTIZE and DEQUANTIZE: the real value is the same, its tensor decides how it is rounded."""
    return converter.operand(node)


def cast(converter: Converter, node: TfliteNode) -> str:
    """CAST to floating point: of integers that stand for themselves."""
    source, target = (converter.tensors[index] for index in (node.inputs[0], node.outputs[0]))
    if target.dtype.kind != "f" or source.scale is not None or target.scale is not None:
        raise converter.unsupported(node, "only casts to floating point can be dropped")
    return converter.operand(node)


def clamp(low: float | None, high: float | None) -> Handler:
    """RELU and its like."""

    def convert(converter: Converter, node: TfliteNode) -> str:
        return converter.clamped(converter.operand(node), converter.label(node), low, high)

    return convert


def leaky_relu(converter: Converter, node: TfliteNode) -> str:
    """LEAKY_RELU."""
    alpha = float(node.options["Alpha"])
    return converter.emit("LeakyRelu", [converter.operand(node)], converter.label(node), alpha=alpha)


def prelu(converter: Converter, node: TfliteNode) -> str:
    """PRELU: slopes as real values."""
    tensor, slope = converter.tensors[node.inputs[1]], converter.data(node, 1)
    if tensor.scale is not None:
        slope = tensor.scale.astype(np.float64) * (slope.astype(np.float64) - tensor.zero)
    operands = [converter.operand(node), converter.constant("slope", slope.astype(np.float32))]
    return converter.emit("PRelu", operands, converter.label(node))


def gelu(converter: Converter, node: TfliteNode) -> str:
    """GELU: ``x/2 * (1 + erf(x / sqrt(2)))``, or its approximation by a tanh."""
    value, name = converter.operand(node), converter.label(node)

    def times(operand: str, factor: float) -> str:
        return converter.emit("Mul", [operand, converter.constant("factor", np.float32(factor))], name)

    if node.options["Approximate"]:
        cube = converter.emit("Pow", [value, converter.constant("three", np.float32(3))], name)
        bent = converter.emit("Add", [value, times(cube, 0.044715)], name)
        inner = converter.emit("Tanh", [times(bent, math.sqrt(2 / math.pi))], name)
    else:
        inner = converter.emit("Erf", [times(value, math.sqrt(0.5))], name)
    raised = converter.emit("Add", [inner, converter.constant("one", np.float32(1))], name)
    return times(converter.emit("Mul", [value, raised], name), 0.5)


def square(converter: Converter, node: TfliteNode) -> str:
    """SQUARE."""
    value = converter.operand(node)
    return converter.emit("Mul", [value, value], converter.label(node))


def squared_difference(converter: Converter, node: TfliteNode) -> str:
    """SQUARED_DIFFERENCE."""
    name = converter.label(node)
    difference = converter.emit("Sub", [converter.operand(node), converter.operand(node, 1)], name)
    return converter.emit("Mul", [difference, difference], name)


def rsqrt(converter: Converter, node: TfliteNode) -> str:
    """RSQRT."""
    name = converter.label(node)
    return converter.emit("Reciprocal", [converter.emit("Sqrt", [converter.operand(node)], name)], name)


def softmax(converter: Converter, node: TfliteNode) -> str:
    """SOFTMAX over the last axis, of the operand times ``Beta``."""
    value, name, beta = converter.operand(node), converter.label(node), node.options["Beta"]
    if beta not in (0.0, 1.0):  # a file without the option reads as 0
        value = converter.emit("Mul", [value, converter.constant("beta", np.float32(beta))], name)
    return converter.emit("Softmax", [value], name)


def arg_max(converter: Converter, node: TfliteNode) -> str:
    """ARG_MAX over one axis, which is left out then."""
    axis = int(np.ravel(converter.data(node, 1))[0]) % len(converter.shape(node))
    return converter.emit("ArgMax", [converter.operand(node)], converter.label(node), axis=axis, keepdims=0)


def reduce(kind: str) -> Handler:
    """MEAN, SUM, REDUCE_MAX and their like over constant axes."""

    def convert(converter: Converter, node: TfliteNode) -> str:
        axes = sorted({int(axis) % len(converter.shape(node)) for axis in np.ravel(converter.data(node, 1))})
        value, image = converter.operand(node), len(converter.shape(node)) == 4
        if image:
            axes = sorted(converter.axis(axis, 4) for axis in axes)
        given = {"axes": axes} if kind != "ReduceSum" else {}
        others = [] if given else [converter.constant("axes", np.array(axes))]
        if not image:
            keep = int(bool(node.options["KeepDims"]))
            return converter.emit(kind, [value, *others], converter.label(node), keepdims=keep, **given)
        kept = converter.on_image(kind, node, value, others, keepdims=1, **given)
        return kept if node.options["KeepDims"] else converter.reshaped(kept, converter.output_shape(node), node)

    return convert
