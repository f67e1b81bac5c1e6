"""Concat: channels one behind the other, parts of one tensor, or lines and columns put side by side by a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from ..layers import Concat, Mac, Term
from ..windows import Window
from .alignment import IMAGE_ORDERS, in_same_phases, on_image_axes
from .copying import as_image, whole_steps
from .op_elementwise import affine
from .phases import Phases, over_phases, phases_of
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["concat"]

_LONGEST = 240
"""Lines or columns put side by side at most: each 15 of them take a layer that pads."""


def concat(importer: Importer, node: NodeProto) -> None:
    """Handler of Concat along any axis but the batch."""
    views = _operands(importer, node)
    axis = importer.attributes(node)["axis"] % len(views[0].shape)
    if len({view.tensor for view in views}) == 1:
        index = np.concatenate([view.index for view in views], axis=axis)
        importer.views[node.output[0]] = View(views[0].tensor, index)
        return
    if axis == 0:
        raise importer.unsupported(node, "it puts batches together: leave the batch axis alone")
    others = {tuple(np.delete(view.shape, axis)) for view in views}
    if len(others) > 1:
        raise importer.unsupported(node, f"its operands have shapes {' and '.join(str(v.shape) for v in views)}")
    if len(views[0].shape) <= 4 and _side_by_side(importer, node, views, axis):
        return
    if len({importer.tensors[view.tensor][1:] for view in views}) > 1:
        views = _aligned(importer, node, views, axis)
    shapes = [importer.tensors[view.tensor] for view in views]
    starts = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    index = np.concatenate([view.index + start for view, start in zip(views, starts, strict=False)], axis=axis)
    sources = tuple(view.tensor for view in views)
    layer = Concat(name=importer.unique(importer.label(node)), parts=sources, output=node.output[0])
    importer.emit(node, layer, (sum(shape[0] for shape in shapes), *shapes[0][1:]), index)


def _operands(importer: Importer, node: NodeProto) -> list[View]:
    """Views of all operands that are not empty; a constant becomes a tensor."""
    names = [name for name in node.input if not _is_empty(importer, name)]
    if all(name in importer.constants for name in names):
        names = [*node.input]
    known = next((name for name in names if name not in importer.constants), None)
    assert known is not None, "a node of constants is folded"
    view = importer.chw(importer.views[known])
    return [
        _constant(importer, node, view, importer.constants[name].astype(np.float64), f"{node.output[0]}/{position}")
        if name in importer.constants
        else importer.chw(importer.views[name])
        for position, name in enumerate(names)
    ]


def _is_empty(importer: Importer, name: str) -> bool:
    """Whether an operand has no elements: what a slice leaves of a value that is split where it ends."""
    values = importer.constants[name] if name in importer.constants else importer.views[name].index
    return values.size == 0


def _constant(importer: Importer, node: NodeProto, like: View, values: NDArray[np.float64], output: str) -> View:
    """A tensor that holds a constant, with axes in the order of another value: a layer of biases alone."""
    if values.ndim > 4:
        raise importer.unsupported(node, f"its constant has {values.ndim} axes, more than an image: give it as one")
    source = importer.tensors[like.tensor]
    order = next((order for order in IMAGE_ORDERS if _is_image(importer, like, order)), IMAGE_ORDERS[0])
    image = values.reshape(*values.shape, *(1,) * (4 - values.ndim)).transpose(order)
    shape = (image.shape[1], image.shape[2], image.shape[3])
    pads = (0, 0, shape[1] - source[1], shape[2] - source[2])
    nothing = Term(
        source=like.tensor, weights=np.zeros((shape[0], source[0], 1, 1)), window=Window(kernel=(1, 1), pads=pads)
    )
    alike = bool((image == image[:, :, :1, :1]).all())
    bias = image[0, :, 0, 0] if alike else np.zeros(shape[0])
    name = importer.unique(f"{importer.label(node)}/constant")
    importer.layers.append(Mac(name=name, terms=(nothing,), bias=bias, output=output))
    importer.tensors[output] = shape
    index = np.arange(image.size).reshape(image.shape).transpose(np.argsort(order)).reshape(values.shape)
    if alike:
        return View(output, index)
    inner = helper.make_node("Add", [], [f"{output}/values"], name=name)
    affine(importer, inner, View(output, index), 1.0, values)
    return importer.views[f"{output}/values"]


def _is_image(importer: Importer, view: View, order: tuple[int, ...]) -> bool:
    if len(view.shape) > 4:
        return False
    value = on_image_axes(view)
    return phases_of(View(value.tensor, value.index.transpose(order)), importer.tensors[view.tensor]) is not None


def _aligned(importer: Importer, node: NodeProto, views: list[View], axis: int) -> list[View]:
    """The operands, all with the same phases; lengths along ``axis`` may differ."""
    lengths = [view.shape[axis] for view in views]
    if len(set(lengths)) == 1:
        return list(in_same_phases(importer, node, tuple(views)))
    most = max(lengths)
    longer = tuple(
        View(view.tensor, np.take(view.index, np.arange(most) % length, axis=axis))
        for view, length in zip(views, lengths, strict=True)
    )
    found = in_same_phases(importer, node, longer)
    return [
        View(view.tensor, np.take(view.index, np.arange(length), axis=axis))
        for view, length in zip(found, lengths, strict=True)
    ]


def _side_by_side(importer: Importer, node: NodeProto, views: list[View], axis: int) -> bool:
    """Put lines or columns of images side by side in one layer, if ``axis`` is one of lines or columns."""
    values = [on_image_axes(view) for view in views]
    for order in IMAGE_ORDERS:
        moved = [View(value.tensor, value.index.transpose(order)) for value in values]
        along = order.index(axis) - 2
        images = [_image(importer, node, value) for value in moved]
        if along < 0 or any(image is None for image in images):
            continue
        lengths = [value.shape[axis] for value in values]
        if sum(lengths) > _LONGEST:
            raise importer.unsupported(
                node, f"it puts {sum(lengths)} lines or columns side by side, {_LONGEST} at most: use its operands"
            )
        terms: list[Term] = []
        ends, total = np.cumsum(lengths), sum(lengths)
        channels = values[0].index.transpose(order).shape[1]
        for image, end, length in zip(images, ends.tolist(), lengths, strict=True):
            assert image is not None
            pads = [0, 0, 0, 0]
            pads[along], pads[along + 2] = end - length, total - end
            terms += _placed(image, Window(kernel=(1, 1), pads=(pads[0], pads[1], pads[2], pads[3])))
        size = [*values[0].index.transpose(order).shape[2:]]
        size[along] = total
        shape = (channels, size[0], size[1])
        name = importer.unique(importer.label(node))
        layer = Mac(name=name, terms=tuple(terms), bias=np.zeros(channels), output=node.output[0], copies=True)
        index = np.arange(int(np.prod(shape))).reshape(1, *shape).transpose(np.argsort(order))
        out = list(views[0].shape)
        out[axis] = total
        importer.emit(node, layer, shape, index.reshape(out))
        return True
    return False


def _image(importer: Importer, node: NodeProto, view: View) -> tuple[str, Phases] | None:
    """Tensor and image without phases of a value (1, C, H, W), perhaps copied."""
    image = phases_of(view, importer.tensors[view.tensor])
    if image is not None and image.factors == (1, 1):
        return view.tensor, image
    copied = as_image(importer, node, view)
    return None if copied is None else (copied.tensor, Phases.plain(importer.tensors[copied.tensor]))


def _placed(part: tuple[str, Phases], window: Window) -> list[Term]:
    """Terms that copy an image into the place that a window's padding gives it."""
    tensor, image = part
    depthwise, channels = image.keeps_channels(), image.shape[0]
    weights = np.ones((channels, 1, 1, 1)) if depthwise else np.eye(channels)[:, :, np.newaxis, np.newaxis]
    parts, _ = over_phases(weights, window, image)
    return [
        Term(
            source=tensor,
            weights=piece.weights,
            window=piece.window,
            depthwise=depthwise,
            constant=depthwise,
            step=None if depthwise else whole_steps(piece.weights),
        )
        for piece in parts
    ]
