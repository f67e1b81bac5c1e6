"""Products of two tensors that the model computes: elementwise, and of matrices."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..layers import Concat, Product
from .alignment import IMAGE_ORDERS, in_same_phases
from .copying import as_image
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["elementwise_product", "matrix_product"]

_MOST_MATRICES = 64
"""Of a batch: each takes layers of its own."""


def elementwise_product(importer: Importer, node: NodeProto, first: View, second: View) -> None:
    """A layer of the product of two values, broadcast to each other; one number for each channel stays one pixel."""
    if first.shape != second.shape:
        if _by_channel(importer, node, first, second):
            return
        first, second = _broadcast(importer, node, first, second)
    shapes = importer.tensors[first.tensor], importer.tensors[second.tensor]
    if shapes[0] != shapes[1] or not np.array_equal(first.index, second.index):
        first, second = in_same_phases(importer, node, (first, second))
    _emit(importer, node, first, second, first.index)


def _broadcast(importer: Importer, node: NodeProto, first: View, second: View) -> tuple[View, View]:
    try:
        indices = np.broadcast_arrays(first.index, second.index)
    except ValueError as error:
        shapes = f"{first.shape} and {second.shape}"
        raise importer.unsupported(node, f"its operands of shapes {shapes} do not broadcast") from error
    return View(first.tensor, indices[0]), View(second.tensor, indices[1])


def _by_channel(importer: Importer, node: NodeProto, first: View, second: View) -> bool:
    """A layer of a value and of one with one number for each of its channels; False if they are none."""
    axes = max(len(first.shape), len(second.shape))
    values = [_on_axes(view, axes) for view in sorted((first, second), key=lambda view: -view.index.size)]
    shape = np.broadcast_shapes(first.shape, second.shape)
    for order in IMAGE_ORDERS if axes <= 4 and values[0].shape[0] == 1 else ():
        moved = [_in_order(value, order) for value in values]
        if moved[1].shape != (1, moved[0].shape[1], 1, 1):
            continue
        image, factors = as_image(importer, node, moved[0]), moved[1]
        if image is None and (owners := _owners(importer, moved[0])) is not None:
            # an image that shows pixels of its tensor in another order shows those of the product so
            size = importer.tensors[moved[0].tensor]
            image = View(moved[0].tensor, np.arange(math.prod(size)).reshape(1, *size))
            factors = View(factors.tensor, factors.index[:, owners])
        factor_image = as_image(importer, node, factors)
        if image is not None and factor_image is not None:
            shown = image if image.shape == moved[0].shape else moved[0]
            _emit(importer, node, image, factor_image, shown.index.transpose(np.argsort(order)).reshape(shape))
            return True
    return False


def _owners(importer: Importer, view: View) -> NDArray[np.int64] | None:
    """Channel of a value (1, C, H, W) that shows pixels of each channel of its tensor; None if several show some."""
    channels, height, width = importer.tensors[view.tensor]
    own = np.broadcast_to(np.arange(view.shape[1]).reshape(1, -1, 1, 1), view.shape).ravel()
    shown = view.index.ravel() // (height * width)
    owners = np.zeros(channels, dtype=np.int64)
    owners[shown] = own
    return owners if np.array_equal(owners[shown], own) else None


def _on_axes(view: View, axes: int) -> View:
    """The value with axes of 1 in front of it until they are so many, and behind those until they are four."""
    shape = (1,) * (axes - len(view.shape)) + view.shape
    return View(view.tensor, view.index.reshape(*shape, *(1,) * (4 - axes)) if axes <= 4 else view.index)


def _in_order(view: View, order: tuple[int, ...]) -> View:
    return View(view.tensor, view.index.transpose(order))


def matrix_product(importer: Importer, node: NodeProto) -> None:
    """Handler of MatMul of two tensors: rows of the left one and columns of the right one have their elements in
    channels, so that each is a pixel of its tensor. Of a batch (heads of attention) each product is a layer, and
    their results are channels of one tensor."""
    left, right = (importer.chw(importer.view(node, position)) for position in (0, 1))
    left_index = left.index[np.newaxis] if left.index.ndim == 1 else left.index
    right_index = right.index[:, np.newaxis] if right.index.ndim == 1 else right.index
    batch = np.broadcast_shapes(left_index.shape[:-2], right_index.shape[:-2])
    count = math.prod(batch)
    if count > _MOST_MATRICES:
        raise importer.unsupported(
            node, f"it multiplies {count} pairs of matrices, {_MOST_MATRICES} at most: use fewer heads"
        )
    rows = np.broadcast_to(left_index, (*batch, *left_index.shape[-2:])).reshape(count, *left_index.shape[-2:])
    columns = np.broadcast_to(right_index, (*batch, *right_index.shape[-2:])).reshape(count, *right_index.shape[-2:])
    made, index, start = [], [], 0
    for number, (own, other) in enumerate(zip(rows, columns.swapaxes(1, 2), strict=True)):
        output = node.output[0] if count == 1 else f"{node.output[0]}/{number}"
        first, second = (_pixels(importer, node, view.tensor, part) for view, part in ((left, own), (right, other)))
        shape = len(other), first.shape[2], first.shape[3]
        _product(importer, node, first, second, shape, output)
        made.append(output)
        index.append(start + np.arange(len(other) * len(own)).reshape(len(other), len(own)).T)
        start += len(other) * len(own)
    tensor = node.output[0]
    if count > 1:
        name = importer.unique(f"{importer.label(node)}/together")
        importer.layers.append(Concat(name=name, parts=tuple(made), output=tensor))
        size = importer.tensors[made[0]]
        importer.tensors[tensor] = (count * size[0], *size[1:])
    shown = np.stack(index).reshape(*batch, *index[0].shape)
    shown = shown[..., 0] if right.index.ndim == 1 else shown
    importer.views[tensor] = View(tensor, np.take(shown, 0, axis=len(batch)) if left.index.ndim == 1 else shown)


def _pixels(importer: Importer, node: NodeProto, tensor: str, rows: NDArray[np.int64]) -> View:
    """Rows (R, K) of elements of a tensor as the pixels of an image of K channels."""
    count, channels = rows.shape
    own = importer.tensors[tensor][1:]
    sizes = ([own] if own[0] * own[1] == count else []) + [(1, count), (count, 1)]
    views = [View(tensor, rows.T.reshape(1, channels, *size)) for size in dict.fromkeys(sizes)]
    for exchange, view in itertools.product((False, True), views):
        if (image := as_image(importer, node, view, exchange=exchange)) is not None:
            return image
    raise importer.unsupported(
        node,
        f"what it sums over is neither channels nor pixels of a value of shape {importer.tensors[tensor]}: keep each "
        "factor's rows and columns apart",
    )


def _product(
    importer: Importer, node: NodeProto, first: View, second: View, shape: tuple[int, int, int], output: str
) -> None:
    name = importer.unique(importer.label(node))
    importer.layers.append(Product(name=name, first=first.tensor, second=second.tensor, matrix=True, output=output))
    importer.tensors[output] = shape


def _emit(importer: Importer, node: NodeProto, first: View, second: View, index: NDArray[np.int64]) -> None:
    name = importer.unique(importer.label(node))
    layer = Product(name=name, first=first.tensor, second=second.tensor, output=node.output[0])
    importer.emit(node, layer, importer.tensors[first.tensor], index)
