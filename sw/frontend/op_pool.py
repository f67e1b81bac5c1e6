"""Pooling operators: maxima and averages over windows or over the whole image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import NodeProto

from ..graph import AveragePool, MaxPool, Window
from .op_linear import window_of

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["average_pool", "global_average_pool", "global_max_pool", "max_pool", "reduce_mean"]


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


def max_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of MaxPool."""
    source, (channels, height, width) = importer.image(node)
    window = _window(importer, node, (height, width))
    reach = [d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilation, strict=True)]
    if any(pad >= r for pad, r in zip(window.pads, reach * 2, strict=True)):
        raise importer.unsupported(node, "its padding is as large as its kernel, some windows are empty: pad less")
    layer = MaxPool(name=importer.unique(importer.label(node)), source=source, window=window, output=node.output[0])
    importer.emit(node, layer, (channels, *window.output(height, width)))


def average_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of AveragePool: without padding, or with padding counted."""
    source, (channels, height, width) = importer.image(node)
    window = _window(importer, node, (height, width))
    if any(window.pads) and not importer.attributes(node).get("count_include_pad", 0):
        raise importer.unsupported(
            node, "padding left out of the average needs divisors by pixel: set count_include_pad=1 or pad none"
        )
    layer = AveragePool(name=importer.unique(importer.label(node)), source=source, window=window, output=node.output[0])
    importer.emit(node, layer, (channels, *window.output(height, width)))


def global_average_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of GlobalAveragePool."""
    source, (channels, height, width) = importer.image(node)
    name, window = importer.unique(importer.label(node)), Window(kernel=(height, width))
    layer = AveragePool(name=name, source=source, window=window, output=node.output[0])
    importer.emit(node, layer, (channels, 1, 1))


def global_max_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of GlobalMaxPool."""
    source, (channels, height, width) = importer.image(node)
    layer = MaxPool(
        name=importer.unique(importer.label(node)),
        source=source,
        window=Window(kernel=(height, width)),
        output=node.output[0],
    )
    importer.emit(node, layer, (channels, 1, 1))


def reduce_mean(importer: Importer, node: NodeProto) -> None:
    """Handler of ReduceMean over height and width, in whatever axis order the value is."""
    attributes = importer.attributes(node)
    operand = importer.constant(node, 1)
    view = importer.chw(importer.view(node))
    axes = attributes.get("axes", range(len(view.shape))) if operand is None else operand.ravel()
    axes = tuple(int(axis) % len(view.shape) for axis in axes)
    channels, height, width = importer.tensors[view.tensor]
    index = view.pixels_of_channels(axes, height * width)
    if index is None:
        raise importer.unsupported(node, "it must average over height and width: use GlobalAveragePool")
    if attributes.get("keepdims", 1):
        index = index.reshape([1 if axis in axes else size for axis, size in enumerate(view.shape)])
    layer = AveragePool(
        name=importer.unique(importer.label(node)),
        source=view.tensor,
        window=Window(kernel=(height, width)),
        output=node.output[0],
    )
    importer.emit(node, layer, (channels, 1, 1), index)
