"""Elementwise operators: clamps, sums of two tensors, and scaling or shifting by constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from ..errors import ModelError
from ..layers import Add, Affine, Clamp, ElementAffine, Mac, scaled
from .alignment import in_same_phases, on_image_axes
from .copying import as_image
from .op_curve import curve, product
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = [
    "add",
    "add_all",
    "batch_normalization",
    "bound",
    "clip",
    "affine",
    "constant_by_channel",
    "divide",
    "hard_sigmoid",
    "leaky_relu",
    "maximum",
    "mean",
    "multiply",
    "negate",
    "prelu",
    "relu",
    "subtract",
    "where",
]


_MASKED = -1e9
"""What masks hold instead of minus infinity."""


def _clamp(importer: Importer, node: NodeProto, low: float, high: float) -> None:
    if low == np.inf or high == -np.inf:
        raise ModelError(f"node {importer.label(node)!r} gives nothing but infinity: train or export the model again")
    position = 1 if node.input[0] in importer.constants else 0
    view = importer.chw(importer.view(node, position))
    name = importer.unique(importer.label(node))
    layer = Clamp(name=name, source=view.tensor, low=low, high=high, output=node.output[0])
    importer.emit(node, layer, importer.tensors[view.tensor], view.index)


def relu(importer: Importer, node: NodeProto) -> None:
    """Handler of Relu."""
    _clamp(importer, node, 0.0, np.inf)


def clip(importer: Importer, node: NodeProto) -> None:
    """Handler of Clip: bounds are operands since opset 11, attributes before."""
    attributes = importer.attributes(node)
    bounds = []
    for position, name, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        operand = importer.constant(node, position)
        if operand is None and position < len(node.input) and node.input[position]:
            raise importer.unsupported(node, "its bounds must be constant")
        bounds.append(float(attributes.get(name, default) if operand is None else operand.item()))
    if bounds[0] > bounds[1]:
        raise ModelError(f"node {importer.label(node)!r} clips to an empty range {bounds[0]}..{bounds[1]}")
    _clamp(importer, node, *bounds)


def constant_by_channel(
    importer: Importer, node: NodeProto, view: View, constant: NDArray[Any] | float
) -> NDArray[np.float64] | None:
    """What a constant is in each channel of a view's tensor, 0 in channels not shown; None if its pixels differ."""
    full, shape = _broadcast(importer, node, view, constant), importer.tensors[view.tensor]
    channel = view.index // (shape[1] * shape[2])
    by_channel = np.zeros(shape[0])
    by_channel[channel.ravel()] = full.ravel()
    return None if (by_channel[channel] != full).any() else by_channel


def _by_element(
    importer: Importer, node: NodeProto, view: View, constant: NDArray[Any] | float
) -> NDArray[np.float64] | None:
    """What a constant is for each element (C, H, W) of a view's tensor; None if one is shown with several values."""
    full, shape = _broadcast(importer, node, view, constant), importer.tensors[view.tensor]
    by_element = np.zeros(int(np.prod(shape)))
    by_element[view.index.ravel()] = full.ravel()
    return None if (by_element[view.index] != full).any() else by_element.reshape(shape)


def _broadcast(importer: Importer, node: NodeProto, view: View, constant: NDArray[Any] | float) -> NDArray[np.float64]:
    values = np.asarray(constant, dtype=np.float64)
    if not np.isfinite(values).all():
        label = importer.label(node)
        raise ModelError(f"node {label!r} computes with NaN or infinity: train or export the model again")
    try:
        return np.broadcast_to(values, view.shape)
    except ValueError as error:
        raise importer.unsupported(node, f"its constant does not broadcast to {view.shape}") from error


def affine(
    importer: Importer, node: NodeProto, view: View, scale: NDArray[Any] | float, bias: NDArray[Any] | float
) -> None:
    """A layer ``scale * x + bias``; constants and view broadcast to each other."""
    shape = np.broadcast_shapes(view.shape, np.shape(scale), np.shape(bias))
    view = importer.chw(view)
    view = View(view.tensor, np.broadcast_to(view.index, shape))
    name, output = importer.unique(importer.label(node)), node.output[0]
    scales, biases = (constant_by_channel(importer, node, view, constant) for constant in (scale, bias))
    if scales is not None and biases is not None:
        layer: Affine | ElementAffine = Affine(name=name, source=view.tensor, scale=scales, bias=biases, output=output)
        importer.emit(node, layer, importer.tensors[view.tensor], view.index)
        return
    scales, biases = (_by_element(importer, node, view, constant) for constant in (scale, bias))
    if scales is None or biases is None:
        copied = as_image(importer, node, on_image_axes(view))
        if copied is None:
            raise importer.unsupported(node, "its constant differs between places that show one element")
        view = View(copied.tensor, copied.index.reshape(view.shape))
        scales, biases = (_by_element(importer, node, view, constant) for constant in (scale, bias))
        assert scales is not None, "a copy shows each element once"
        assert biases is not None, "a copy shows each element once"
    layer = ElementAffine(name=name, source=view.tensor, scale=scales, bias=biases, output=output)
    importer.emit(node, layer, importer.tensors[view.tensor], view.index)


def _operands(importer: Importer, node: NodeProto) -> tuple[View, NDArray[Any], bool] | None:
    """The tensor operand, the constant one, and whether the constant comes first; None if neither is constant."""
    for position in (1, 0):
        constant = importer.constant(node, position)
        if constant is not None:
            return importer.view(node, 1 - position), constant, position == 0
    return None


def _sum(importer: Importer, node: NodeProto, sign: int) -> None:
    first, second = (importer.chw(importer.view(node, position)) for position in (0, 1))
    try:
        indices = np.broadcast_arrays(first.index, second.index)
    except ValueError as error:
        shapes = f"{first.shape} and {second.shape}"
        raise importer.unsupported(node, f"its operands of shapes {shapes} do not broadcast") from error
    first, second = View(first.tensor, indices[0]), View(second.tensor, indices[1])
    shape = importer.tensors[first.tensor]
    if shape != importer.tensors[second.tensor] or not np.array_equal(first.index, second.index):
        first, second = in_same_phases(importer, node, (first, second))
        shape = importer.tensors[first.tensor]
    name = importer.unique(importer.label(node))
    layer = Add(name=name, first=first.tensor, second=second.tensor, output=node.output[0], sign=sign)
    importer.emit(node, layer, shape, first.index)


def maximum(importer: Importer, node: NodeProto) -> None:
    """Handler of Max and Min of tensors: ``a + max(b - a, 0)``, ``a - max(a - b, 0)``."""
    label, result = importer.label(node), node.output[0]
    for number, other in enumerate(node.input[1:], start=1):
        first = node.input[0] if number == 1 else f"{result}/{number - 1}"
        output = result if number == len(node.input) - 1 else f"{result}/{number}"
        operands = (other, first) if node.op_type == "Max" else (first, other)
        steps = (
            ("Sub", operands, f"{output}/difference"),
            ("Relu", (f"{output}/difference",), f"{output}/positive"),
            ("Add" if node.op_type == "Max" else "Sub", (first, f"{output}/positive"), output),
        )
        handlers = {"Sub": subtract, "Relu": relu, "Add": add}
        for kind, inputs, name in steps:
            handlers[kind](importer, helper.make_node(kind, inputs, [name], name=f"{label}/{kind.lower()}{number}"))


def mean(importer: Importer, node: NodeProto) -> None:
    """Handler of Mean: the sum of its operands, divided by their number."""
    total = f"{node.output[0]}/sum"
    add_all(importer, helper.make_node("Sum", node.input, [total], name=f"{importer.label(node)}/sum"))
    affine(importer, node, importer.views[total], 1.0 / len(node.input), 0.0)


def add_all(importer: Importer, node: NodeProto) -> None:
    """Handler of Sum: additions one after the other."""
    total, name = node.input[0], importer.label(node)
    for number, operand in enumerate(node.input[1:], start=1):
        output = node.output[0] if number == len(node.input) - 1 else f"{node.output[0]}/{number}"
        add(importer, helper.make_node("Add", [total, operand], [output], name=name))
        total = output
    if len(node.input) == 1:
        importer.views[node.output[0]] = importer.view(node)


def negate(importer: Importer, node: NodeProto) -> None:
    """Handler of Neg."""
    affine(importer, node, importer.view(node), -1.0, 0.0)


def bound(importer: Importer, node: NodeProto) -> None:
    """Handler of Max and Min: of tensors, or with one constant bound."""
    operands = _operands(importer, node) if len(node.input) == 2 else None
    if len(node.input) == 1:
        importer.views[node.output[0]] = importer.view(node)
        return
    if operands is None and not any(name in importer.constants for name in node.input):
        maximum(importer, node)
        return
    if operands is None or operands[1].size == 0 or (operands[1] != operands[1].flat[0]).any():
        raise importer.unsupported(node, "a constant among its operands must be the only other one, one value for all")
    limit = float(operands[1].flat[0])
    if limit == (-np.inf if node.op_type == "Max" else np.inf):  # none
        view, shape = operands[0], np.broadcast_shapes(operands[0].shape, operands[1].shape)
        importer.views[node.output[0]] = View(view.tensor, np.broadcast_to(view.index, shape))
        return
    _clamp(importer, node, *((limit, np.inf) if node.op_type == "Max" else (-np.inf, limit)))


def hard_sigmoid(importer: Importer, node: NodeProto) -> None:
    """Handler of HardSigmoid: ``clip(alpha * x + beta, 0, 1)``."""
    attributes, line = importer.attributes(node), f"{node.output[0]}/line"
    inner = helper.make_node("HardSigmoid", node.input, [line], name=f"{importer.label(node)}/line")
    affine(importer, inner, importer.view(node), attributes.get("alpha", 0.2), attributes.get("beta", 0.5))
    _clamp(importer, helper.make_node("HardSigmoid", [line], node.output, name=importer.label(node)), 0.0, 1.0)


def leaky_relu(importer: Importer, node: NodeProto) -> None:
    """Handler of LeakyRelu: ``alpha * x + (1 - alpha) * max(x, 0)``."""
    _leaky(importer, node, importer.attributes(node).get("alpha", 0.01))


def prelu(importer: Importer, node: NodeProto) -> None:
    """Handler of PRelu: as LeakyRelu, with a slope for each channel."""
    slope = importer.constant(node, 1)
    if slope is None:
        raise importer.unsupported(node, "its slope must be constant")
    _leaky(importer, node, slope)


def _leaky(importer: Importer, node: NodeProto, slope: NDArray[Any] | float) -> None:
    """``slope * x + (1 - slope) * max(x, 0)``, as terms of one layer."""
    view, label = importer.chw(importer.view(node)), importer.label(node)
    parts = [f"{node.output[0]}/{part}" for part in ("positive", "falling", "rising")]
    relu(importer, helper.make_node("Relu", node.input[:1], parts[:1], name=f"{label}/positive"))
    alpha = constant_by_channel(importer, node, view, slope)
    if alpha is not None:
        shape, name = importer.tensors[view.tensor], importer.unique(label)
        sources = (view.tensor, alpha), (importer.views[parts[0]].tensor, 1.0 - alpha)
        terms = tuple(scaled(source, gain) for source, gain in sources)
        layer = Mac(name=name, terms=terms, bias=np.zeros(shape[0]), output=node.output[0])
        importer.emit(node, layer, shape, view.index)
        return
    for source, gain, output in ((node.input[0], slope, parts[1]), (parts[0], 1.0 - slope, parts[2])):
        inner = helper.make_node("Mul", [source], [output], name=f"{label}/slope")
        affine(importer, inner, importer.views[source], gain, 0.0)
    add(importer, helper.make_node("Add", parts[1:], node.output, name=label))


def add(importer: Importer, node: NodeProto) -> None:
    """Handler of Add."""
    if (operands := _operands(importer, node)) is None:
        _sum(importer, node, 1)
    else:
        affine(importer, node, operands[0], 1.0, _finite_mask(operands[1]))


def _finite_mask(constant: NDArray[Any]) -> NDArray[Any]:
    """A constant with a large negative number in place of minus infinity, which masks of attention hold."""
    return np.where(np.isneginf(constant), _MASKED, constant) if constant.dtype.kind == "f" else constant


def subtract(importer: Importer, node: NodeProto) -> None:
    """Handler of Sub."""
    if (operands := _operands(importer, node)) is None:
        _sum(importer, node, -1)
    else:
        view, constant, first = operands
        affine(importer, node, view, -1.0 if first else 1.0, constant if first else -constant)


def multiply(importer: Importer, node: NodeProto) -> None:
    """Handler of Mul."""
    if (operands := _operands(importer, node)) is None:
        product(importer, node)
    else:
        affine(importer, node, operands[0], operands[1], 0.0)


def divide(importer: Importer, node: NodeProto) -> None:
    """Handler of Div: by a constant, of a constant, or of two functions of one tensor."""
    operands = _operands(importer, node)
    if operands is None:
        product(importer, node)
        return
    view, constant, first = operands
    if first:
        inverse = f"{node.output[0]}/inverse"
        curve(
            importer, helper.make_node("Reciprocal", node.input[1:], [inverse], name=f"{importer.label(node)}/inverse")
        )
        affine(importer, node, importer.views[inverse], constant, 0.0)
        return
    if not constant.all():
        raise ModelError(f"node {importer.label(node)!r} divides by 0: train or export the model again")
    affine(importer, node, view, 1.0 / constant, 0.0)


def where(importer: Importer, node: NodeProto) -> None:
    """Handler of Where by a constant condition: ``c * x + (1 - c) * y``."""
    condition = importer.constant(node, 0)
    if condition is None:
        raise importer.unsupported(node, "its condition must be constant: a choice by values has no layer")
    mask = condition.astype(np.float64)
    parts, label = [f"{node.output[0]}/{part}" for part in ("first", "second")], importer.label(node)
    first, second = (importer.constant(node, position) for position in (1, 2))
    if first is not None or second is not None:  # not both, or the node would be folded
        view = importer.view(node, 1 if second is not None else 2)
        own, other = (mask, 1.0 - mask) if second is not None else (1.0 - mask, mask)
        summand = np.where(
            other != 0, _finite_mask(np.asarray(second if second is not None else first, np.float64)), 0.0
        )
        affine(importer, node, view, own, summand)
        return
    for operand, own, output in zip(node.input[1:], (mask, 1.0 - mask), parts, strict=True):
        inner = helper.make_node("Mul", [operand], [output], name=f"{label}/{output.rpartition('/')[2]}")
        affine(importer, inner, importer.views[operand], own, 0.0)
    add(importer, helper.make_node("Add", parts, node.output, name=label))


def batch_normalization(importer: Importer, node: NodeProto) -> None:
    """Handler of a BatchNormalization that has no Conv or Gemm before it to be fused into."""
    attributes = importer.attributes(node)
    if attributes.get("training_mode", 0) or any(node.output[1:]):  # statistics are outputs of training alone
        raise importer.unsupported(node, "export the model in evaluation mode")
    if not attributes.get("spatial", 1):  # until opset 8
        raise importer.unsupported(node, "its statistics are those of pixels: export it with opset 9 or later")
    constants = [importer.constant(node, position) for position in (1, 2, 3, 4)]
    gamma, beta, mean, variance = (c.astype(np.float64) for c in constants if c is not None)
    with np.errstate(divide="ignore", invalid="ignore"):  # what is not finite is refused below
        scale = gamma / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    view = importer.view(node)
    by_axis = (-1,) + (1,) * (len(view.shape) - 2)
    affine(importer, node, view, scale.reshape(by_axis), (beta - mean * scale).reshape(by_axis))
