"""ReduceMean, ReduceSum, ReduceMax and ReduceMin over any axes: pools, weights of one value, maxima of halves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from ..layers import Affine, AveragePool, Mac, MaxPool, Term
from ..windows import Window
from .copying import as_image
from .op_elementwise import maximum
from .op_matmul import dense
from .phases import Phases, over_phases, phases_of
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["reduce"]

_ORDERS = {4: ((0, 1, 2, 3), (0, 3, 1, 2)), 3: ((0, 1, 2), (0, 2, 1))}
"""Axes of values as (batch, channels, height, width) and (batch, channels, length)."""


def reduce(importer: Importer, node: NodeProto) -> None:
    """Handler of ReduceMean, ReduceSum, ReduceMax and ReduceMin, in whatever axis order the value is."""
    attributes, operand = importer.attributes(node), importer.constant(node, 1)
    view = importer.chw(importer.view(node))
    given = attributes.get("axes") if operand is None else operand.ravel().tolist()
    if len(node.input) > 1 and node.input[1] and operand is None:
        raise importer.unsupported(node, "its axes must be constant")
    if not given and attributes.get("noop_with_empty_axes", 0):
        importer.views[node.output[0]] = view
        return
    axes = tuple(sorted(int(axis) % len(view.shape) for axis in given or range(len(view.shape))))
    index = _pooled(importer, node, view, axes)
    if attributes.get("keepdims", 1):
        shape = [1 if axis in axes else size for axis, size in enumerate(view.shape)]
    else:
        shape = [size for axis, size in enumerate(view.shape) if axis not in axes]
    found = importer.views[node.output[0]] if index is None else index
    importer.views[node.output[0]] = View(found.tensor, found.index.reshape(shape))


def _pooled(importer: Importer, node: NodeProto, view: View, axes: tuple[int, ...]) -> View:
    """The reduced elements, in the order of the axes that are left."""
    shape = importer.tensors[view.tensor]
    channels = view.pixels_of_channels(axes, shape[1] * shape[2])
    if channels is not None:
        return View(_whole_images(importer, node, view.tensor), channels)
    for order in _ORDERS.get(len(view.shape), ()):
        moved = view.index.transpose(order)
        moved = View(view.tensor, moved[..., np.newaxis] if len(order) == 3 else moved)
        reduced = tuple(sorted(order.index(axis) for axis in axes))
        found = _image(importer, node, moved, reduced)
        if found is not None:
            left = found.index[..., 0] if len(order) == 3 else found.index
            return View(found.tensor, left.transpose(np.argsort(order)))
    if node.op_type in ("ReduceMean", "ReduceSum"):
        rows = np.moveaxis(view.index, axes, range(-len(axes), 0))
        kept = rows.shape[: rows.ndim - len(axes)]
        rows = rows.reshape(*kept, -1)
        gain = 1.0 / rows.shape[-1] if node.op_type == "ReduceMean" else 1.0
        return dense(importer, node, View(view.tensor, rows), np.full((rows.shape[-1], 1), gain), np.full(1, gain))
    raise importer.unsupported(node, f"it mixes lines and channels of a value of shape {view.shape}: reduce an image")


def _whole_images(importer: Importer, node: NodeProto, tensor: str) -> str:
    """A layer that reduces all pixels of each channel; its output is one pixel."""
    channels, height, width = importer.tensors[tensor]
    name, output = importer.unique(importer.label(node)), node.output[0]
    window = Window(kernel=(height, width))
    if node.op_type in ("ReduceMax", "ReduceMin"):
        return _largest(importer, node, tensor, window, (channels, 1, 1))
    mean = f"{output}/mean" if node.op_type == "ReduceSum" else output
    importer.layers.append(AveragePool(name=name, source=tensor, window=window, output=mean))
    importer.tensors[mean] = importer.tensors[output] = (channels, 1, 1)
    if mean != output:
        scale, name = np.full(channels, float(height * width)), importer.unique(name)
        importer.layers.append(Affine(name=name, source=mean, scale=scale, bias=np.zeros(channels), output=output))
    return output


def _largest(
    importer: Importer, node: NodeProto, tensor: str, window: Window, shape: tuple[int, int, int], suffix: str = ""
) -> str:
    """A max-pool, or for minima one of the negative values."""
    name, output = importer.unique(importer.label(node)), f"{node.output[0]}{suffix}"
    if node.op_type == "ReduceMax":
        importer.layers.append(MaxPool(name=name, source=tensor, window=window, output=output))
    else:
        minus = {"scale": np.full(shape[0], -1.0), "bias": np.zeros(shape[0])}
        importer.tensors[f"{output}/negative"], importer.tensors[f"{output}/largest"] = importer.tensors[tensor], shape
        layers = (
            Affine(name=f"{name}/negative", source=tensor, output=f"{output}/negative", **minus),
            MaxPool(name=name, source=f"{output}/negative", window=window, output=f"{output}/largest"),
            Affine(name=f"{name}/positive", source=f"{output}/largest", output=output, **minus),
        )
        importer.layers.extend(layers)
    importer.tensors[output] = shape
    return output


def _image(importer: Importer, node: NodeProto, view: View, reduced: tuple[int, ...]) -> View | None:
    """The value (1, C, H, W), reduced along some of its axes; None if it is no image."""
    average = node.op_type in ("ReduceMean", "ReduceSum")
    image = phases_of(view, importer.tensors[view.tensor])
    if image is None or not (average or image.is_plain()):
        copied = as_image(importer, node, view)
        if copied is None:
            return None
        view, image = copied, Phases.plain(importer.tensors[copied.tensor])
    channels, *size = image.shape
    kernel = tuple(length if 2 + axis in reduced else 1 for axis, length in enumerate(size))
    window = Window(kernel=(kernel[0], kernel[1]))
    left = window.output(size[0], size[1])
    if average:
        return _weighed(importer, node, view.tensor, image, window, across=1 in reduced)
    tensor = view.tensor
    if kernel != (1, 1):
        tensor = _largest(importer, node, tensor, window, (channels, *left), "/pixels" if 1 in reduced else "")
    whole = View(tensor, np.arange(channels * left[0] * left[1]).reshape(1, channels, *left))
    return _across(importer, node, whole) if 1 in reduced else whole


def _weighed(
    importer: Importer, node: NodeProto, tensor: str, image: Phases, window: Window, *, across: bool
) -> View | None:
    """Sum or mean of an image's windows, and ``across`` channels."""
    channels, *size = image.shape
    count = window.kernel[0] * window.kernel[1] * (channels if across else 1)
    gain = 1.0 / count if node.op_type == "ReduceMean" else 1.0
    if across:
        weights: NDArray[np.float64] = np.full((1, channels, *window.kernel), gain)
    elif image.keeps_channels():
        weights = np.full((channels, 1, *window.kernel), gain)
    else:
        weights = np.eye(channels)[:, :, np.newaxis, np.newaxis] * np.full(window.kernel, gain)
    parts, ways = over_phases(weights, window, image)
    if ways != (1, 1):
        return None
    depthwise = not across and image.keeps_channels()
    step = None if depthwise else np.full(len(weights), gain)
    terms = tuple(
        Term(source=tensor, weights=p.weights, window=p.window, depthwise=depthwise, constant=depthwise, step=step)
        for p in parts
    )
    shape = (len(weights), *window.output(size[0], size[1]))
    name = importer.unique(importer.label(node))
    importer.emit(node, Mac(name=name, terms=terms, bias=np.zeros(shape[0]), output=node.output[0]), shape)
    return importer.views[node.output[0]]


def _across(importer: Importer, node: NodeProto, view: View) -> View:
    """Largest (smallest) value across the channels of (1, C, H, W): the maximum of both halves, again and again."""
    operator, number = node.op_type.removeprefix("Reduce"), 0
    while (channels := view.shape[1]) > 1:
        number += 1
        half = (channels + 1) // 2
        names = [f"{node.output[0]}/{side}{number}" for side in ("first", "second", "both")]
        importer.views[names[0]] = View(view.tensor, view.index[:, :half])
        importer.views[names[1]] = View(view.tensor, view.index[:, channels - half :])
        maximum(importer, helper.make_node(operator, names[:2], [names[2]], name=f"{importer.label(node)}/{number}"))
        view = importer.views[names[2]]
    return view
