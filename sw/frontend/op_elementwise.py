"""Elementwise operators: clamps, sums of two tensors, and scaling or shifting by constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from ..errors import ModelError
from ..graph import Add, Affine, Clamp, Concat, Mac, scaled
from .alignment import in_same_phases
from .op_curve import product
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = [
    "add",
    "add_all",
    "batch_normalization",
    "bound",
    "clip",
    "concat",
    "divide",
    "hard_sigmoid",
    "leaky_relu",
    "multiply",
    "negate",
    "prelu",
    "relu",
    "subtract",
]


def _clamp(importer: Importer, node: NodeProto, low: float, high: float) -> None:
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


def _by_channel(importer: Importer, node: NodeProto, view: View, constant: NDArray[Any] | float) -> NDArray[np.float64]:
    """What a constant is in each channel of a view's tensor; 0 in channels that the view does not show."""
    try:
        full = np.broadcast_to(np.asarray(constant, dtype=np.float64), view.shape)
    except ValueError as error:
        raise importer.unsupported(node, f"its constant does not broadcast to {view.shape}") from error
    shape = importer.tensors[view.tensor]
    channel = view.index // (shape[1] * shape[2])
    by_channel = np.zeros(shape[0])
    by_channel[channel.ravel()] = full.ravel()
    if (by_channel[channel] != full).any():
        raise importer.unsupported(node, "its constant differs from pixel to pixel: use one value a channel")
    return by_channel


def _affine(
    importer: Importer, node: NodeProto, view: View, scale: NDArray[Any] | float, bias: NDArray[Any] | float
) -> None:
    """A layer ``scale * x + bias``; the constants broadcast to the view, the same in all pixels of a channel."""
    view = importer.chw(view)
    shape = importer.tensors[view.tensor]
    scales, biases = (_by_channel(importer, node, view, constant) for constant in (scale, bias))
    name = importer.unique(importer.label(node))
    layer = Affine(name=name, source=view.tensor, scale=scales, bias=biases, output=node.output[0])
    importer.emit(node, layer, shape, view.index)


def _operands(importer: Importer, node: NodeProto) -> tuple[View, NDArray[Any], bool] | None:
    """The tensor operand, the constant one, and whether the constant comes first; None if neither is constant."""
    for position in (1, 0):
        constant = importer.constant(node, position)
        if constant is not None:
            return importer.view(node, 1 - position), constant, position == 0
    return None


def _sum(importer: Importer, node: NodeProto, sign: int) -> None:
    first, second = (importer.chw(importer.view(node, position)) for position in (0, 1))
    if first.shape != second.shape:
        raise importer.unsupported(
            node, f"its operands have shapes {first.shape} and {second.shape}: both must be equal"
        )
    shape = importer.tensors[first.tensor]
    if shape != importer.tensors[second.tensor] or not np.array_equal(first.index, second.index):
        first, second = in_same_phases(importer, node, (first, second))
        shape = importer.tensors[first.tensor]
    name = importer.unique(importer.label(node))
    layer = Add(name=name, first=first.tensor, second=second.tensor, output=node.output[0], sign=sign)
    importer.emit(node, layer, shape, first.index)


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
    _affine(importer, node, importer.view(node), -1.0, 0.0)


def bound(importer: Importer, node: NodeProto) -> None:
    """Handler of Max and Min with one constant bound."""
    operands = _operands(importer, node) if len(node.input) == 2 else None
    if operands is None or operands[1].size == 0 or (operands[1] != operands[1].flat[0]).any():
        raise importer.unsupported(node, "one of two operands must be a constant, the same for all elements")
    limit = float(operands[1].flat[0])
    _clamp(importer, node, *((limit, np.inf) if node.op_type == "Max" else (-np.inf, limit)))


def hard_sigmoid(importer: Importer, node: NodeProto) -> None:
    """Handler of HardSigmoid: ``clip(alpha * x + beta, 0, 1)``."""
    attributes, line = importer.attributes(node), f"{node.output[0]}/line"
    inner = helper.make_node("HardSigmoid", node.input, [line], name=f"{importer.label(node)}/line")
    _affine(importer, inner, importer.view(node), attributes.get("alpha", 0.2), attributes.get("beta", 0.5))
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
    view = importer.chw(importer.view(node))
    shape, name = importer.tensors[view.tensor], importer.unique(importer.label(node))
    alpha = _by_channel(importer, node, view, slope)
    positive = f"{node.output[0]}/positive"
    importer.layers.append(Clamp(name=f"{name}/positive", source=view.tensor, low=0.0, high=np.inf, output=positive))
    importer.tensors[positive] = shape
    terms = tuple(scaled(source, gain) for source, gain in ((view.tensor, alpha), (positive, 1.0 - alpha)))
    layer = Mac(name=name, terms=terms, bias=np.zeros(shape[0]), output=node.output[0])
    importer.emit(node, layer, shape, view.index)


def concat(importer: Importer, node: NodeProto) -> None:
    """Handler of Concat: the tensors' channels one behind the other, in whatever axis order the values are."""
    views = [importer.chw(importer.view(node, position)) for position in range(len(node.input))]
    if len({importer.tensors[view.tensor][1:] for view in views}) > 1:
        views = list(in_same_phases(importer, node, tuple(views)))
    shapes = [importer.tensors[view.tensor] for view in views]
    starts = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    index = np.concatenate(
        [view.index + start for view, start in zip(views, starts, strict=False)],
        axis=importer.attributes(node)["axis"],
    )
    sources = tuple(view.tensor for view in views)
    layer = Concat(name=importer.unique(importer.label(node)), parts=sources, output=node.output[0])
    importer.emit(node, layer, (sum(shape[0] for shape in shapes), *shapes[0][1:]), index)


def add(importer: Importer, node: NodeProto) -> None:
    """Handler of Add."""
    if (operands := _operands(importer, node)) is None:
        _sum(importer, node, 1)
    else:
        _affine(importer, node, operands[0], 1.0, operands[1])


def subtract(importer: Importer, node: NodeProto) -> None:
    """Handler of Sub."""
    if (operands := _operands(importer, node)) is None:
        _sum(importer, node, -1)
    else:
        view, constant, first = operands
        _affine(importer, node, view, -1.0 if first else 1.0, constant if first else -constant)


def multiply(importer: Importer, node: NodeProto) -> None:
    """Handler of Mul."""
    if (operands := _operands(importer, node)) is None:
        product(importer, node)
    else:
        _affine(importer, node, operands[0], operands[1], 0.0)


def divide(importer: Importer, node: NodeProto) -> None:
    """Handler of Div by a constant."""
    operands = _operands(importer, node)
    if operands is None or operands[2]:
        raise importer.unsupported(node, "its divisor must be constant")
    if not operands[1].all():
        raise ModelError(f"node {importer.label(node)!r} divides by 0: train or export the model again")
    _affine(importer, node, operands[0], 1.0 / operands[1], 0.0)


def batch_normalization(importer: Importer, node: NodeProto) -> None:
    """Handler of a BatchNormalization that has no Conv or Gemm before it to be fused into."""
    attributes = importer.attributes(node)
    if attributes.get("training_mode", 0) or any(node.output[1:]):  # statistics are outputs of training alone
        raise importer.unsupported(node, "export the model in evaluation mode")
    if not attributes.get("spatial", 1):  # until opset 8
        raise importer.unsupported(node, "its statistics are those of pixels: export it with opset 9 or later")
    constants = [importer.constant(node, position) for position in (1, 2, 3, 4)]
    gamma, beta, mean, variance = (c.astype(np.float64) for c in constants if c is not None)
    scale = gamma / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    view = importer.view(node)
    by_axis = (-1,) + (1,) * (len(view.shape) - 2)
    _affine(importer, node, view, scale.reshape(by_axis), (beta - mean * scale).reshape(by_axis))
