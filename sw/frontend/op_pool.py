"""Operators with a window and no weights: maxima, averages, and padding, which is an average of one pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import NodeProto

from ..graph import Affine, AveragePool, MaxPool, Shape, Window
from .copying import image_operand
from .op_linear import window_of
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["average_pool", "global_average_pool", "global_max_pool", "max_pool", "pad", "reduce"]


def _window(importer: Importer, node: NodeProto, size: tuple[int, int]) -> Window:
    attributes = importer.attributes(node)
    if attributes.get("ceil_mode", 0):
        plain = window_of(importer, node, tuple(attributes["kernel_shape"]), size)
        top, left, bottom, right = plain.pads
        spare = [
            (n + a + b - d * (k - 1) - 1) % s
            for n, a, b, k, s, d in zip(
                size, (top, left), (bottom, right), plain.kernel, plain.stride, plain.dilation, strict=True
            )
        ]
        if any(spare):
            raise importer.unsupported(node, "ceil_mode=1 adds a partial window here: set explicit pads")
        return plain
    return window_of(importer, node, tuple(attributes["kernel_shape"]), size)


def _emit(importer: Importer, node: NodeProto, layer: MaxPool | AveragePool, shape: Shape) -> None:
    """Adds the layer; its output has as many axes as its input."""
    axes = len(importer.view(node).shape)
    index = np.arange(int(np.prod(shape))).reshape((1, *shape)[:axes])
    importer.emit(node, layer, shape, index)


def max_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of MaxPool."""
    source, (channels, height, width) = image_operand(importer, node)
    window = _window(importer, node, (height, width))
    reach = [d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilation, strict=True)]
    if any(pad >= r for pad, r in zip(window.pads, reach * 2, strict=True)):
        raise importer.unsupported(node, "its padding is as large as its kernel, some windows are empty: pad less")
    layer = MaxPool(name=importer.unique(importer.label(node)), source=source, window=window, output=node.output[0])
    _emit(importer, node, layer, (channels, *window.output(height, width)))


def average_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of AveragePool: without padding, or with padding counted."""
    source, (channels, height, width) = image_operand(importer, node)
    window = _window(importer, node, (height, width))
    if any(window.pads) and not importer.attributes(node).get("count_include_pad", 0):
        raise importer.unsupported(
            node, "padding left out of the average needs divisors by pixel: set count_include_pad=1 or pad none"
        )
    layer = AveragePool(name=importer.unique(importer.label(node)), source=source, window=window, output=node.output[0])
    _emit(importer, node, layer, (channels, *window.output(height, width)))


def global_average_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of GlobalAveragePool."""
    source, (channels, height, width) = image_operand(importer, node)
    name, window = importer.unique(importer.label(node)), Window(kernel=(height, width))
    layer = AveragePool(name=name, source=source, window=window, output=node.output[0])
    _emit(importer, node, layer, (channels, 1, 1))


def global_max_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of GlobalMaxPool."""
    source, (channels, height, width) = image_operand(importer, node)
    layer = MaxPool(
        name=importer.unique(importer.label(node)),
        source=source,
        window=Window(kernel=(height, width)),
        output=node.output[0],
    )
    _emit(importer, node, layer, (channels, 1, 1))


def pad(importer: Importer, node: NodeProto) -> None:
    """Handler of a Pad with zeros that could not join the window behind it, in any order of four axes."""
    attributes, amounts = importer.attributes(node), importer.constant(node, 1)
    if attributes.get("mode", "constant") != "constant":
        raise importer.unsupported(node, "only padding with zeros has a layer: use mode=constant")
    value = importer.constant(node, 2)
    if (attributes.get("value", 0.0) if value is None else np.any(value)) or (amounts is None and len(node.input) > 1):
        raise importer.unsupported(node, "it must pad with 0, by constant amounts")
    view = importer.chw(importer.view(node))
    shape = importer.tensors[view.tensor]
    order = next((perm for perm in ((0, 1, 2, 3), (0, 3, 1, 2)) if _is_image(view, shape, perm)), None)
    if order is None:
        raise importer.unsupported(node, f"its input of shape {view.shape} is no image: pad the image, or on the host")
    given = np.array(attributes.get("pads") if amounts is None else amounts).reshape(-1).astype(int)
    axes = importer.constant(node, 3)
    sides = np.zeros((2, 4), dtype=int)
    sides[:, range(4) if axes is None else axes.ravel() % 4] = given.reshape(2, -1)
    batch, channels, *(lines, columns) = sides.T[list(order)]
    if batch.any() or channels.any() or sides.min() < 0:
        raise importer.unsupported(node, "only height and width can be padded, and nothing cropped")
    window = Window(kernel=(1, 1), pads=(int(lines[0]), int(columns[0]), int(lines[1]), int(columns[1])))
    layer = AveragePool(
        name=importer.unique(importer.label(node)), source=view.tensor, window=window, output=node.output[0]
    )
    size = (shape[0], *window.output(*shape[1:]))
    index = np.arange(int(np.prod(size))).reshape(1, *size).transpose(np.argsort(order))
    importer.emit(node, layer, size, index)


def _is_image(view: View, shape: Shape, order: tuple[int, ...]) -> bool:
    """Whether a value with its axes in ``order`` is the whole tensor."""
    return len(view.shape) == 4 and np.array_equal(
        view.index.transpose(order), np.arange(int(np.prod(shape))).reshape(1, *shape)
    )


def reduce(importer: Importer, node: NodeProto) -> None:
    """Handler of ReduceMean, ReduceMax and ReduceSum over height and width, in whatever axis order the value is."""
    attributes = importer.attributes(node)
    operand = importer.constant(node, 1)
    view = importer.chw(importer.view(node))
    axes = attributes.get("axes", range(len(view.shape))) if operand is None else operand.ravel()
    axes = tuple(int(axis) % len(view.shape) for axis in axes)
    channels, height, width = importer.tensors[view.tensor]
    index = view.pixels_of_channels(axes, height * width)
    if index is None:
        raise importer.unsupported(node, "it must reduce height and width: use GlobalAveragePool or GlobalMaxPool")
    if attributes.get("keepdims", 1):
        index = index.reshape([1 if axis in axes else size for axis, size in enumerate(view.shape)])
    name, window, output = importer.unique(importer.label(node)), Window(kernel=(height, width)), node.output[0]
    if node.op_type == "ReduceSum":
        mean = f"{output}/mean"
        importer.layers.append(AveragePool(name=f"{name}/mean", source=view.tensor, window=window, output=mean))
        importer.tensors[mean] = (channels, 1, 1)
        scale = np.full(channels, float(height * width))
        layer = Affine(name=name, source=mean, scale=scale, bias=np.zeros(channels), output=output)
    else:
        kind = MaxPool if node.op_type == "ReduceMax" else AveragePool
        layer = kind(name=name, source=view.tensor, window=window, output=output)
    importer.emit(node, layer, (channels, 1, 1), index)
