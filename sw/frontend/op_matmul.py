"""Gemm and MatMul by constants: one row, rows that are pixels or windows of an image, or any rows of a small value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..layers import Term
from ..windows import Shape, Window
from .copying import as_image
from .op_linear import emit, step_of
from .op_product import matrix_product
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["gemm", "matmul"]

_TWO_TENSORS = "one of its operands must be constant: the product of two tensors has no layer"

_MOST_WEIGHTS = 1 << 22
"""Largest matrix of all outputs by all inputs of a value whose rows are no windows."""


@dataclass(frozen=True)
class _Rows:
    """Rows (R, K) of a value as windows over an image: taps (K,) of channel, line and column, and where rows lie."""

    taps: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    window: Window
    pixels: NDArray[np.int64]

    @staticmethod
    def of(index: NDArray[np.int64], shape: Shape) -> _Rows | None:
        """Of an index (R, K) into a tensor; None if its rows are not all the same window, at even distances."""
        channel, pixel = np.divmod(index, shape[1] * shape[2])
        places = np.divmod(pixel, shape[2])
        kernel, stride, pads, taps, grid = [], [], [], [], []
        for axis, place in enumerate(places):
            starts, number = np.unique(place[:, 0], return_inverse=True)
            steps = np.diff(starts)
            if (place - place[:, :1] != place[0] - place[0, 0]).any() or (steps != steps[:1]).any():
                return None
            own = place[0] - int(place[0].min())
            first = int(place[0].min() - place[0, 0] + starts[0])
            step, size = int(steps[0]) if len(steps) else 1, int(own.max()) + 1
            kernel.append(size)
            stride.append(step)
            pads.append((-first, (len(starts) - 1) * step + first + size - shape[1 + axis]))
            taps.append(own)
            grid.append((number.ravel(), len(starts)))
        if (channel != channel[:1]).any():
            return None
        window = Window(
            kernel=(kernel[0], kernel[1]),
            stride=(stride[0], stride[1]),
            pads=(pads[0][0], pads[1][0], pads[0][1], pads[1][1]),
        )
        return _Rows((channel[0], taps[0], taps[1]), window, grid[0][0] * grid[1][1] + grid[1][0])


def dense(
    importer: Importer,
    node: NodeProto,
    view: View,
    matrix: NDArray[np.float64],
    step: NDArray[np.float64] | None,
    bias: NDArray[np.float64] | None = None,
) -> View:
    """A layer ``x @ matrix + bias`` along the last axis of a value; ``step`` as a `Term` has it.

    Rows that are windows of the tensor become a convolution, any others one layer of all inputs and outputs; where that
    is too large, what is summed over becomes channels first.
    """
    size, outputs = matrix.shape
    shape = importer.tensors[view.tensor]
    index = view.index.reshape(-1, size)
    shown = (*view.shape[:-1], outputs)
    full = np.zeros(shown) if bias is None else np.broadcast_to(bias, shown)
    rows, biases = _Rows.of(index, shape), full.reshape(-1, outputs)
    if rows is None and index.size * full.size > _MOST_WEIGHTS:
        across = View(view.tensor, index.T.reshape(1, size, 1, -1))
        if (image := as_image(importer, node, across, exchange=True)) is not None:
            moved = image.index[0, :, 0].T
            return dense(importer, node, View(image.tensor, moved.reshape(view.shape)), matrix, step, bias)
    if rows is None or (biases != biases[:1]).any():
        matrix = np.kron(np.eye(len(index)), matrix).astype(np.float64)
        if matrix.size > _MOST_WEIGHTS:
            raise importer.unsupported(
                node,
                f"it sums over axis {len(view.shape) - 1} of a value of shape {view.shape}, whose elements are lines "
                "or columns of an earlier image: keep what is summed over in channels",
            )
        step = None if step is None else np.tile(step, len(index))
        rows = _Rows.of(index.reshape(1, -1), shape)
        assert rows is not None, "one row is a window"
        biases = full.reshape(1, -1)
    found = _convolution(importer, node, view.tensor, rows, matrix, step, biases[0])
    return View(found.tensor, found.index.reshape(shown))


def _convolution(
    importer: Importer,
    node: NodeProto,
    tensor: str,
    rows: _Rows,
    matrix: NDArray[np.float64],
    step: NDArray[np.float64] | None,
    bias: NDArray[np.float64],
) -> View:
    """The layer, and its outputs (R, O)."""
    shape, outputs = importer.tensors[tensor], matrix.shape[1]
    weights = np.zeros((shape[0], *rows.window.kernel, outputs))
    np.add.at(weights, rows.taps, matrix)  # an element may stand in several places
    weights = weights.transpose(3, 0, 1, 2)
    size = rows.window.output(*shape[1:])
    term = Term(source=tensor, weights=weights, window=rows.window, step=step)
    pixels = size[0] * size[1]
    index = np.arange(outputs) * pixels + rows.pixels[:, np.newaxis]
    return emit(importer, node, (term,), bias, (outputs, *size), index)


def gemm(importer: Importer, node: NodeProto) -> None:
    """Handler of Gemm: ``alpha * A' * B' + beta * C``."""
    attributes = importer.attributes(node)
    left, right = (importer.constant(node, position) for position in (0, 1))
    view = importer.chw(importer.view(node, 1 if left is not None else 0))
    first, second = attributes.get("transA", 0), attributes.get("transB", 0)
    alpha = attributes.get("alpha", 1.0)
    if left is not None:  # the transposed product
        matrix = left.astype(np.float64) if first else left.T.astype(np.float64)
        rows = view.index if second else view.index.T
        step = step_of(importer, node, 1 if first else 0, position=0)
    elif right is not None:
        if first:
            raise importer.unsupported(node, "its first operand must not be transposed: it would sum over the batch")
        matrix = right.T.astype(np.float64) if second else right.astype(np.float64)
        rows = view.index
        step = step_of(importer, node, 0 if second else 1)
    else:
        raise importer.unsupported(node, _TWO_TENSORS)
    bias = importer.constant(node, 2)
    if len(node.input) > 2 and node.input[2] and bias is None:
        raise importer.unsupported(node, "its bias must be constant")
    if bias is not None:
        bias = np.atleast_2d(bias.astype(np.float64) * attributes.get("beta", 1.0))
        bias = bias.T if left is not None else bias
    step = None if step is None else abs(alpha) * step
    found = dense(importer, node, View(view.tensor, rows), alpha * matrix, step, bias)
    importer.views[node.output[0]] = View(found.tensor, found.index.T if left is not None else found.index)


def matmul(importer: Importer, node: NodeProto) -> None:
    """Handler of MatMul by a constant, on the right or on the left, or of two tensors."""
    left, right = (importer.constant(node, position) for position in (0, 1))
    if left is None and right is None:
        matrix_product(importer, node)
        return
    view = importer.chw(importer.view(node, 1 if left is not None else 0))
    index: NDArray[Any] = view.index
    if right is not None:
        matrix, step = right.astype(np.float64), step_of(importer, node, right.ndim - 1)
    else:
        assert left is not None, "one of them is constant"
        step = step_of(importer, node, left.ndim - 2, position=0) if left.ndim > 1 else None
        matrix = left.astype(np.float64).swapaxes(-1, -2) if left.ndim > 1 else left.astype(np.float64)
        index = index.swapaxes(-1, -2) if index.ndim > 1 else index
    single = matrix.ndim == 1
    matrix = matrix[:, np.newaxis] if single else matrix
    if matrix.ndim > 2 and np.prod(matrix.shape[:-2]) > 1:
        found = _batched(importer, node, View(view.tensor, index), matrix, step)
    else:
        batch = np.broadcast_shapes(index.shape[:-2], matrix.shape[:-2])
        index = np.broadcast_to(index, (*batch, *index.shape[-2:]))
        found = dense(importer, node, View(view.tensor, index), matrix.reshape(matrix.shape[-2:]), step)
    out = found.index
    if single:
        out = out[..., 0]
    elif left is not None and out.ndim > 1:
        out = out.swapaxes(-1, -2)
    importer.views[node.output[0]] = View(found.tensor, out)


def _batched(
    importer: Importer, node: NodeProto, view: View, matrix: NDArray[np.float64], step: NDArray[np.float64] | None
) -> View:
    """A matrix for each place along the axes before the last two: one row of everything, in blocks."""
    batch = np.broadcast_shapes(view.shape[:-2], matrix.shape[:-2])
    index = np.broadcast_to(view.index, (*batch, *view.shape[-2:])).reshape(-1, *view.shape[-2:])
    blocks = np.broadcast_to(matrix, (*batch, *matrix.shape[-2:])).reshape(-1, *matrix.shape[-2:])
    count, rows, size = index.shape
    outputs = blocks.shape[2]
    if count * rows * size * count * rows * outputs > _MOST_WEIGHTS:
        raise importer.unsupported(node, f"its constant of shape {matrix.shape} is a matrix for each part of its input")
    whole = np.zeros((count, rows, size, count, rows, outputs))
    part = np.arange(count)
    for row in range(rows):
        whole[part, row, :, part, row] = blocks
    found = dense(
        importer,
        node,
        View(view.tensor, index.reshape(1, -1)),
        whole.reshape(count * rows * size, -1),
        None if step is None else np.tile(step, count * rows),
    )
    return View(found.tensor, found.index.reshape(*batch, rows, outputs))
