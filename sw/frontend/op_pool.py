"""Operators with a window and no weights: maxima and averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..layers import AveragePool, MaxPool
from ..windows import Shape, Window
from .copying import image_operand, linear_map, phases_operand
from .op_linear import window_of
from .phases import Phases

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["average_pool", "global_average_pool", "global_max_pool", "max_pool"]


def _window(importer: Importer, node: NodeProto, size: tuple[int, int]) -> Window:
    """Geometry of a pool; with ceil_mode the last, partial windows end in more padding."""
    attributes = importer.attributes(node)
    plain = window_of(importer, node, tuple(attributes["kernel_shape"]), size)
    mode = attributes.get("auto_pad", "NOTSET")
    if attributes.get("ceil_mode", 0) and mode == "VALID" and plain != _up_to(plain, size):
        raise importer.unsupported(node, "runtimes disagree on ceil_mode=1 with auto_pad=VALID: give pads instead")
    return _up_to(plain, size) if attributes.get("ceil_mode", 0) and mode in ("NOTSET", "") else plain


def _up_to(plain: Window, size: tuple[int, int]) -> Window:
    """The window with more padding behind, so that a last, partial one counts."""
    behind = []
    for axis, length in enumerate(size):
        before, after, stride = plain.pads[axis], plain.pads[axis + 2], plain.stride[axis]
        reach = plain.dilation[axis] * (plain.kernel[axis] - 1) + 1
        outputs = -(-(length + before + after - reach) // stride) + 1
        if (outputs - 1) * stride >= length + before:  # a window may not begin beyond the image
            outputs -= 1
        behind.append((outputs - 1) * stride + reach - length - before)
    return Window(
        kernel=plain.kernel,
        stride=plain.stride,
        pads=(plain.pads[0], plain.pads[1], max(behind[0], 0), max(behind[1], 0)),
        dilation=plain.dilation,
    )


def _emit(importer: Importer, node: NodeProto, layer: MaxPool | AveragePool, shape: Shape) -> None:
    """Adds the layer; its output has as many axes as its input."""
    importer.emit(node, layer, shape)
    importer.views[node.output[0]] = importer.shown_like(node, importer.views[node.output[0]])


def max_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of MaxPool."""
    source, (channels, height, width) = image_operand(importer, node)
    window = _window(importer, node, (height, width))
    outputs = window.output(height, width)
    for axis, length in enumerate((height, width)):
        lines = _lines(window, axis, outputs[axis])
        if not ((lines >= 0) & (lines < length)).any(axis=1).all():
            raise importer.unsupported(node, "some of its windows lie in padding altogether: pad less")
    layer = MaxPool(name=importer.unique(importer.label(node)), source=source, window=window, output=node.output[0])
    _emit(importer, node, layer, (channels, *outputs))


def _lines(window: Window, axis: int, outputs: int) -> NDArray[np.int64]:
    """Lines (outputs, kernel) that windows see along one axis, padding included."""
    starts = np.arange(outputs) * window.stride[axis] - window.pads[axis]
    return np.add.outer(starts, np.arange(window.kernel[axis]) * window.dilation[axis])


def average_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of AveragePool; where padding is not counted, windows at the border have weights of their own."""
    attributes = importer.attributes(node)
    tensor, image = phases_operand(importer, node)
    channels, *size = image.shape
    window, counted = _window(importer, node, (size[0], size[1])), bool(attributes.get("count_include_pad", 0))
    kernel = tuple(attributes["kernel_shape"])
    given = window_of(importer, node, kernel, (size[0], size[1]))
    if image.is_plain() and window == given and (counted or max(window.pads) <= 0):
        name = importer.unique(importer.label(node))
        layer = AveragePool(name=name, source=tensor, window=window, output=node.output[0])
        _emit(importer, node, layer, (channels, *window.output(*size)))
        return
    matrices = []
    for axis in range(2):
        lines = _lines(window, axis, window.output(size[0], size[1])[axis])
        inside = (lines >= 0) & (lines < size[axis])
        padded = lines < size[axis] + given.pads[axis + 2]  # what ceil_mode adds is never counted
        number = (padded if counted else inside).sum(axis=1)
        if not number.all():
            raise importer.unsupported(node, "some of its windows lie in padding altogether: pad less")
        matrix = np.zeros((len(lines), size[axis]))
        row, tap = np.nonzero(inside)
        matrix[row, lines[row, tap]] = 1.0 / number[row]
        matrices.append(matrix)
    _map(importer, node, tensor, image, (matrices[0], matrices[1]))


def _map(
    importer: Importer,
    node: NodeProto,
    tensor: str,
    image: Phases,
    matrices: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    found = linear_map(importer, node, tensor, image, matrices, plain=True) or linear_map(
        importer, node, tensor, image, matrices
    )
    if found is None:
        raise importer.unsupported(node, "its windows differ over more than 15 border pixels: pad less")
    importer.views[node.output[0]] = importer.shown_like(node, found)


def global_average_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of GlobalAveragePool."""
    if not _of_whole_channels(importer, node, AveragePool):
        tensor, image = phases_operand(importer, node)
        _map(importer, node, tensor, image, (_mean(image.shape[1]), _mean(image.shape[2])))


def global_max_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of GlobalMaxPool."""
    if not _of_whole_channels(importer, node, MaxPool):
        source, (channels, height, width) = image_operand(importer, node)
        window, name = Window(kernel=(height, width)), importer.unique(importer.label(node))
        layer = MaxPool(name=name, source=source, window=window, output=node.output[0])
        _emit(importer, node, layer, (channels, 1, 1))


def _of_whole_channels(importer: Importer, node: NodeProto, kind: type[MaxPool] | type[AveragePool]) -> bool:
    """Pool all pixels of each channel of a tensor, if that is what an operand shows, in whatever order."""
    view = importer.chw(importer.view(node))
    shape, axes = importer.tensors[view.tensor], tuple(range(2, len(view.shape)))
    shown = view.pixels_of_channels(axes, shape[1] * shape[2]) if axes else None
    if shown is None:
        return False
    name, window = importer.unique(importer.label(node)), Window(kernel=shape[1:])
    layer = kind(name=name, source=view.tensor, window=window, output=node.output[0])
    importer.emit(node, layer, (shape[0], 1, 1), shown.reshape(*shown.shape, *(1,) * len(axes)))
    return True


def _mean(lines: int) -> NDArray[np.float64]:
    return np.full((1, lines), 1.0 / lines)
