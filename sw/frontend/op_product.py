"""Products of two tensors that the model computes: elementwise, and of matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..layers import Product
from .alignment import IMAGE_ORDERS, in_same_phases
from .copying import as_image
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["elementwise_product", "matrix_product"]


def elementwise_product(importer: Importer, node: NodeProto, first: View, second: View) -> None:
    """A layer of the product of two values of one shape, or of which one has one number for each channel."""
    if first.shape != second.shape:
        _by_channel(importer, node, first, second)
        return
    shapes = importer.tensors[first.tensor], importer.tensors[second.tensor]
    if shapes[0] != shapes[1] or not np.array_equal(first.index, second.index):
        first, second = in_same_phases(importer, node, (first, second))
    _emit(importer, node, first, second, first.index)


def _by_channel(importer: Importer, node: NodeProto, first: View, second: View) -> None:
    axes = max(len(first.shape), len(second.shape))
    values = [_on_axes(view, axes) for view in sorted((first, second), key=lambda view: -view.index.size)]
    shape = values[0].shape
    for order in IMAGE_ORDERS if axes <= 4 and shape[0] == 1 else ():
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
            return
    raise importer.unsupported(
        node,
        f"its operands have the shapes {first.shape} and {second.shape}: the product of two tensors takes one shape, "
        "or one number for each channel",
    )


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
    channels, so that each is a pixel of its tensor."""
    left, right = (importer.chw(importer.view(node, position)) for position in (0, 1))
    are_matrices = min(len(left.shape), len(right.shape)) > 1
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2]) if are_matrices else ()
    if not are_matrices or int(np.prod(batch)) != 1:
        raise importer.unsupported(
            node, f"the product of two tensors takes two matrices, not shapes {left.shape} and {right.shape}"
        )
    rows, columns = left.index.reshape(left.shape[-2:]), right.index.reshape(right.shape[-2:]).T
    images = [_pixels(importer, node, left.tensor, rows), _pixels(importer, node, right.tensor, columns)]
    if images[0] is None or images[1] is None:
        raise importer.unsupported(
            node, "what it sums over must be channels of both tensors: one of them would have to be transposed"
        )
    shape = len(columns), images[0].shape[2], images[0].shape[3]
    index = np.arange(len(columns) * len(rows)).reshape(len(columns), len(rows)).T
    _emit(importer, node, images[0], images[1], index.reshape(*batch, *index.shape), shape)


def _pixels(importer: Importer, node: NodeProto, tensor: str, rows: NDArray[np.int64]) -> View | None:
    """Rows (R, K) of elements of a tensor as the pixels of an image of K channels; None if they cannot be."""
    count, channels = rows.shape
    own = importer.tensors[tensor][1:]
    sizes = ([own] if own[0] * own[1] == count else []) + [(1, count), (count, 1)]
    views = (View(tensor, rows.T.reshape(1, channels, *size)) for size in dict.fromkeys(sizes))
    return next((image for view in views if (image := as_image(importer, node, view)) is not None), None)


def _emit(
    importer: Importer,
    node: NodeProto,
    first: View,
    second: View,
    index: NDArray[np.int64],
    shape: tuple[int, int, int] | None = None,
) -> None:
    name = importer.unique(importer.label(node))
    layer = Product(
        name=name, first=first.tensor, second=second.tensor, matrix=shape is not None, output=node.output[0]
    )
    importer.emit(node, layer, shape or importer.tensors[first.tensor], index)
