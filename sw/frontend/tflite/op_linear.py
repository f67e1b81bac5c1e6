"""Convolutions and matrix products."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import tflite

from .records import TfliteNode
from .windows import border_of, same_padding, strides_of

if TYPE_CHECKING:
    from .converter import Converter

__all__ = ["batch_matmul", "conv", "dense", "depthwise", "transpose_conv"]


def conv(converter: Converter, node: TfliteNode) -> str:
    """CONV_2D, in groups where its weights have fewer channels than its input."""
    weights = converter.data(node, 1)
    groups = converter.shape(node)[3] // weights.shape[3]
    operand = converter.weights(node.inputs[1], weights.transpose(0, 3, 1, 2), 0)
    return _convolved(converter, node, operand, weights.shape[1:3], groups)


def depthwise(converter: Converter, node: TfliteNode) -> str:
    """DEPTHWISE_CONV_2D."""
    weights = converter.data(node, 1)
    operand = converter.weights(node.inputs[1], weights.transpose(3, 0, 1, 2), 0)
    return _convolved(converter, node, operand, weights.shape[1:3], converter.shape(node)[3])


def _convolved(converter: Converter, node: TfliteNode, weights: str, kernel: tuple[int, int], groups: int) -> str:
    source, dilation = node.inputs[0], [node.options["DilationHFactor"], node.options["DilationWFactor"]]
    pads = border_of(converter, node, kernel, (dilation[0], dilation[1]))
    if source in converter.spaced:  # SPACE_TO_BATCH_ND before it, BATCH_TO_SPACE_ND behind: a dilated convolution
        source, block, amounts = converter.spaced[source]
        crops = _crops(converter, node)
        if any(pads) or strides_of(node) != [1, 1] or dilation != [1, 1] or (amounts[:, 1] < crops[:, 1]).any():
            raise converter.unsupported(node, "between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: use dilation instead")
        amounts = amounts - crops
        converter.whole.add(node.outputs[0])
        dilation, pads = block.tolist(), amounts.T.ravel().tolist()
    return converter.on_image(
        "Conv",
        node,
        converter.value(source),
        [weights, *converter.bias(node)],
        group=groups,
        strides=strides_of(node),
        dilations=dilation,
        pads=pads,
    )


def _crops(converter: Converter, node: TfliteNode) -> np.ndarray:
    """What the BATCH_TO_SPACE_ND behind a convolution cuts off, (2, 2): nothing at the beginning."""
    readers = converter.readers(node.outputs[0])
    if len(readers) != 1 or readers[0].kind != "BATCH_TO_SPACE_ND":
        raise converter.unsupported(node, "behind SPACE_TO_BATCH_ND only with BATCH_TO_SPACE_ND behind it")
    crops = converter.data(readers[0], 2)
    if crops.shape != (2, 2) or crops[:, 0].any():
        raise converter.unsupported(readers[0], "it must crop at the end only: use a convolution with dilation")
    return crops.astype(np.int64)


def transpose_conv(converter: Converter, node: TfliteNode) -> str:
    """TRANSPOSE_CONV: padding is that of the convolution from its output to its input."""
    weights = converter.data(node, 1)
    output, size = converter.data(node, 0).ravel().tolist(), converter.shape(node, 2)
    strides, before, behind, extra = strides_of(node), [], [], []
    for total, given, kernel, stride in zip(output[1:3], size[1:3], weights.shape[1:3], strides, strict=True):
        first = 0
        if node.options["Padding"] == tflite.Padding.SAME:
            first = same_padding(-(-total // stride), total, kernel, stride)[0]
        last = (given - 1) * stride + kernel - first - total
        before.append(first)
        behind.append(max(last, 0))
        extra.append(max(-last, 0))
    return converter.on_image(
        "ConvTranspose",
        node,
        converter.operand(node, 2),
        [converter.weights(node.inputs[1], weights.transpose(3, 0, 1, 2), 1), *converter.bias(node, 3)],
        strides=strides,
        pads=[*before, *behind],
        output_padding=extra,
    )


def dense(converter: Converter, node: TfliteNode) -> str:
    """FULLY_CONNECTED of one row, or of each of several."""
    if node.options["WeightsFormat"]:
        raise converter.unsupported(node, "its weights are shuffled for one processor: convert the model again")
    matrix, shape = converter.data(node, 1), converter.shape(node)
    name, size = converter.label(node), converter.output_shape(node)
    if math.prod(shape) == matrix.shape[1]:
        flat = converter.reshaped(converter.operand(node), [1, matrix.shape[1]], node)
        inputs = [flat, converter.weights(node.inputs[1], matrix), *converter.bias(node)]
        rows = converter.emit("Gemm", inputs, name, transB=1)
        return rows if size == (1, len(matrix)) else converter.reshaped(rows, size, node)
    rows = converter.emit("MatMul", [converter.operand(node), converter.weights(node.inputs[1], matrix.T, 1)], name)
    if bias := converter.bias(node):
        rows = converter.emit("Add", [rows, *bias], name)
    return rows if size == (*shape[:-1], len(matrix)) else converter.reshaped(rows, size, node)


def batch_matmul(converter: Converter, node: TfliteNode) -> str:
    """BATCH_MATMUL by a constant matrix."""
    name, matrix = converter.label(node), converter.data(node, 1)
    while matrix.ndim > 2 and matrix.shape[0] == 1:
        matrix = matrix[0]
    if matrix.ndim != 2 or converter.tensors[node.inputs[1]].zero.size > 1:
        raise converter.unsupported(node, "its second operand must be one matrix")
    matrix = matrix.T if node.options["AdjY"] else matrix
    rows = converter.operand(node)
    if node.options["AdjX"]:
        axes = list(range(len(converter.shape(node))))
        rows = converter.emit("Transpose", [rows], name, perm=[*axes[:-2], axes[-1], axes[-2]])
    return converter.emit("MatMul", [rows, converter.weights(node.inputs[1], matrix)], name)
