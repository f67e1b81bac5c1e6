"""Conv, Gemm and MatMul with constant weights; a Gemm over a flattened image is a convolution as large as the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..errors import ModelError
from ..graph import Mac, Term, Window

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["conv", "gemm", "matmul", "window_of"]


def window_of(importer: Importer, node: NodeProto, kernel: tuple[int, ...], size: tuple[int, int]) -> Window:
    """Geometry from the attributes of a Conv or pool; ``size`` is the input's height and width."""
    attributes = importer.attributes(node)
    if len(kernel) != 2:
        raise importer.unsupported(node, f"its kernel has {len(kernel)} axes: only 2-dimensional ones run")
    stride = tuple(attributes.get("strides", (1, 1)))
    dilation = tuple(attributes.get("dilations", (1, 1)))
    pads = tuple(attributes.get("pads", (0, 0, 0, 0)))
    mode = attributes.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
            for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
        ]
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        pads = (*small, *large) if mode == "SAME_UPPER" else (*large, *small)
    elif mode == "VALID":
        pads = (0, 0, 0, 0)
    if min(pads) < 0:
        raise importer.unsupported(node, "negative pads crop: crop on the host")
    window = Window(
        kernel=(int(kernel[0]), int(kernel[1])),
        stride=(stride[0], stride[1]),
        pads=(pads[0], pads[1], pads[2], pads[3]),
        dilation=(dilation[0], dilation[1]),
    )
    if min(window.output(*size)) < 1:
        raise ModelError(
            f"node {importer.label(node)!r} has a window of {kernel}, larger than its input of {size}: export it again"
        )
    return window


def _weights(importer: Importer, node: NodeProto) -> NDArray[np.float64]:
    weights = importer.constant(node, 1)
    if weights is None:
        raise importer.unsupported(node, "its weights must be constant")
    return weights.astype(np.float64)


def _step(importer: Importer, node: NodeProto, axis: int) -> NDArray[np.float64] | None:
    """Step of each output channel, which lie along ``axis`` of the weights, if the weights have them."""
    steps = importer.steps.get(node.input[1])
    if steps is None:
        return None
    rows = np.moveaxis(steps, axis, 0).reshape(steps.shape[axis], -1)
    return rows[:, 0] if (rows == rows[:, :1]).all() else None


def conv(importer: Importer, node: NodeProto) -> None:
    """Handler of Conv: dense, depthwise, or grouped (made dense with zeros)."""
    weights = _weights(importer, node)
    source, (channels, height, width) = importer.image(node)
    groups = importer.attributes(node).get("group", 1)
    outputs, inputs = weights.shape[:2]
    if inputs * groups != channels or outputs % groups:
        raise ModelError(
            f"node {importer.label(node)!r} has weights of shape {weights.shape} in {groups} groups, "
            f"but its input has {channels} channels: export it again"
        )
    window = window_of(importer, node, weights.shape[2:], (height, width))
    depthwise = groups == channels == outputs and channels > 1
    if groups > 1 and not depthwise:
        dense = np.zeros((outputs, channels, *weights.shape[2:]))
        for group in range(groups):
            rows = slice(group * outputs // groups, (group + 1) * outputs // groups)
            dense[rows, group * inputs : (group + 1) * inputs] = weights[rows]
        weights = dense
    bias = importer.constant(node, 2)
    _emit(
        importer,
        node,
        Term(source=source, weights=weights, window=window, depthwise=depthwise, step=_step(importer, node, 0)),
        np.zeros(outputs) if bias is None else bias.astype(np.float64),
        (outputs, *window.output(height, width)),
    )


def _emit(
    importer: Importer,
    node: NodeProto,
    term: Term,
    bias: NDArray[np.float64],
    shape: tuple[int, int, int],
    index: NDArray[np.int64] | None = None,
) -> None:
    weights = node.input[1]
    name = importer.unique(weights.removesuffix(".weight") if weights.endswith(".weight") else importer.label(node))
    importer.emit(node, Mac(name=name, terms=(term,), bias=bias, output=node.output[0]), shape, index)


def _dense(
    importer: Importer,
    node: NodeProto,
    matrix: NDArray[np.float64],
    step: NDArray[np.float64] | None,
    bias: NDArray[Any] | None,
) -> None:
    """A layer ``x @ matrix + bias`` on a (1, K) view of any tensor; ``step`` as a `Term` has it."""
    view = importer.chw(importer.view(node))
    rows, outputs = matrix.shape
    if view.index.size != rows or view.shape[-1] != rows:
        raise importer.unsupported(
            node, f"it needs one row of {rows} values, its input has shape {view.shape}: flatten it first"
        )
    channels, height, width = importer.tensors[view.tensor]
    weights = np.zeros((outputs, rows))
    weights[:, view.index.ravel()] = matrix.T
    full = np.broadcast_to(0.0 if bias is None else bias, (*view.shape[:-1], outputs)).astype(np.float64).ravel()
    term = Term(
        source=view.tensor,
        weights=weights.reshape(outputs, channels, height, width),
        window=Window(kernel=(height, width)),
        step=step,
    )
    _emit(importer, node, term, full, (outputs, 1, 1), np.arange(outputs).reshape(*view.shape[:-1], outputs))


def gemm(importer: Importer, node: NodeProto) -> None:
    """Handler of Gemm: ``alpha * A' * B' + beta * C``."""
    attributes = importer.attributes(node)
    if attributes.get("transA", 0):
        raise importer.unsupported(node, "its first operand must not be transposed")
    matrix, alpha = _weights(importer, node), attributes.get("alpha", 1.0)
    step = _step(importer, node, 0 if attributes.get("transB", 0) else 1)
    matrix = matrix.T if attributes.get("transB", 0) else matrix
    bias = importer.constant(node, 2)
    if len(node.input) > 2 and node.input[2] and bias is None:
        raise importer.unsupported(node, "its bias must be constant")
    bias = None if bias is None else bias * attributes.get("beta", 1.0)
    _dense(importer, node, alpha * matrix, None if step is None else abs(alpha) * step, bias)


def matmul(importer: Importer, node: NodeProto) -> None:
    """Handler of MatMul by a constant matrix on the right."""
    matrix = _weights(importer, node)
    if matrix.ndim != 2:
        raise importer.unsupported(node, f"its matrix must have 2 axes, not {matrix.ndim}")
    _dense(importer, node, matrix, _step(importer, node, 1), None)
