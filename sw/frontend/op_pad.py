"""Pad: borders of zeros are an average of one pixel, other borders views or shifted values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from ..layers import AveragePool, Mac, MaxPool, Term
from ..windows import Window
from .alignment import on_image_axes
from .copying import as_image
from .op_elementwise import affine
from .phases import Phases, over_phases, phases_of
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["pad"]

_ORDERS = ((0, 1, 2, 3), (0, 3, 1, 2))
"""Axes of values of four axes as (batch, channels, height, width)."""

_LOWEST = -1e30
"""What no value is below: a border of this or less leaves a max-pool alone."""


def pad(importer: Importer, node: NodeProto) -> None:
    """Handler of Pad in any mode; negative amounts crop."""
    attributes = importer.attributes(node)
    view = importer.chw(importer.view(node))
    sides, value = _operands(importer, node, len(view.shape))
    if sides[:, 0].any():
        raise importer.unsupported(node, "it pads the batch: leave that axis alone")
    crop = tuple(
        slice(max(0, -int(before)), size - max(0, -int(behind)))
        for size, before, behind in zip(view.shape, *sides, strict=True)
    )
    index, sides = view.index[crop], np.maximum(sides, 0)
    mode = attributes.get("mode", "constant")
    if mode != "constant" or not sides.any():
        kind = {"constant": "edge"}.get(mode, mode)
        if kind not in ("edge", "reflect", "wrap"):
            raise importer.unsupported(node, f"its mode {mode!r} is not one of constant, edge, reflect, wrap")
        importer.views[node.output[0]] = View(view.tensor, np.pad(index, sides.T.tolist(), mode=kind))
        return
    view = View(view.tensor, index)
    if value <= _LOWEST:
        _leave_to_maxima(importer, node, view, sides)
    elif value:
        label, shifted, padded = importer.label(node), f"{node.output[0]}/shifted", f"{node.output[0]}/padded"
        affine(importer, helper.make_node("Sub", [], [shifted], name=f"{label}/shifted"), view, 1.0, -value)
        inner = helper.make_node("Pad", [shifted], [padded], name=f"{label}/padded")
        _zeros(importer, inner, importer.views[shifted], sides)
        affine(importer, helper.make_node("Add", [padded], node.output, name=label), importer.views[padded], 1.0, value)
    else:
        _zeros(importer, node, view, sides)


def _operands(importer: Importer, node: NodeProto, axes: int) -> tuple[NDArray[np.int64], float]:
    """Lines before and behind each axis, (2, axes), and the value: operands since opset 11, attributes before."""
    attributes, amounts, value = importer.attributes(node), importer.constant(node, 1), importer.constant(node, 2)
    named = [position < len(node.input) and bool(node.input[position]) for position in range(4)]
    chosen = importer.constant(node, 3)
    if any(wanted and given is None for wanted, given in zip(named[1:], (amounts, value, chosen), strict=True)):
        raise importer.unsupported(node, "its amounts, value and axes must be constant")
    given = np.array(attributes.get("pads", attributes.get("paddings")) if amounts is None else amounts)
    sides = np.zeros((2, axes), dtype=np.int64)
    sides[:, range(axes) if chosen is None else chosen.ravel() % axes] = given.reshape(2, -1)
    return sides, float(attributes.get("value", 0.0) if value is None else value.item())


def _zeros(importer: Importer, node: NodeProto, view: View, sides: NDArray[np.int64]) -> None:
    """A border of zeros around height and width, and zero channels, in any order of axes."""
    found = _image(importer, node, view)
    amounts = np.zeros((2, 4), dtype=np.int64)
    amounts[:, : len(view.shape)] = sides
    tensor, image, order = found
    _, channels, lines, columns = amounts.T[list(order)].tolist()
    window = Window(kernel=(1, 1), pads=(lines[0], columns[0], lines[1], columns[1]))
    size = window.output(*image.shape[1:])
    shape = (image.shape[0] + sum(channels), *size)
    name = importer.unique(importer.label(node))
    if image.is_plain() and not any(channels):
        layer: AveragePool | Mac = AveragePool(name=name, source=tensor, window=window, output=node.output[0])
    else:
        weights = np.zeros((shape[0], image.shape[0], 1, 1))
        own = np.arange(image.shape[0])
        weights[channels[0] + own, own] = 1.0
        parts, ways = over_phases(weights, window, image)
        if ways != (1, 1):
            raise importer.unsupported(node, "it pads an enlarged image: let a convolution pad it")
        terms = tuple(Term(source=tensor, weights=p.weights, window=p.window, step=np.ones(shape[0])) for p in parts)
        layer = Mac(name=name, terms=terms, bias=np.zeros(shape[0]), output=node.output[0])
    index = np.arange(int(np.prod(shape))).reshape(1, *shape).transpose(np.argsort(order))
    out = [size + int(more) for size, more in zip(view.shape, sides.sum(axis=0), strict=True)]
    importer.emit(node, layer, shape, index.reshape(out))


def _image(importer: Importer, node: NodeProto, view: View) -> tuple[str, Phases, tuple[int, ...]]:
    """Tensor, image and order of axes of a value, perhaps copied."""
    if len(view.shape) <= 4:
        value = on_image_axes(view)
        moved = [(order, View(value.tensor, value.index.transpose(order))) for order in _ORDERS]
        for order, each in moved:
            image = phases_of(each, importer.tensors[each.tensor])
            if image is not None:
                return each.tensor, image, order
        for order, each in moved:
            copied = as_image(importer, node, each)
            if copied is not None:
                return copied.tensor, Phases.plain(importer.tensors[copied.tensor]), order
    raise importer.no_image(node, view)


def _leave_to_maxima(importer: Importer, node: NodeProto, view: View, sides: NDArray[np.int64]) -> None:
    """A border that is below everything: the padding of the max-pools that read it, which they leave out."""
    readers = [reader for reader in importer.model.graph.node if node.output[0] in reader.input]
    value = on_image_axes(view)
    copied = as_image(importer, node, value) if len(view.shape) in (3, 4) else None
    if copied is None or sides[:, :2].any() or not readers or any(reader.op_type != "MaxPool" for reader in readers):
        raise importer.unsupported(node, "a border below all values can only stand before a MaxPool: pad with less")
    amounts = np.zeros((2, 4), dtype=np.int64)
    amounts[:, : len(view.shape)] = sides
    pads = tuple(int(amount) for amount in amounts[:, 2:].ravel())
    window = Window(kernel=(1, 1), pads=(pads[0], pads[1], pads[2], pads[3]))
    shape = importer.tensors[copied.tensor]
    size = (shape[0], *window.output(*shape[1:]))
    name = importer.unique(importer.label(node))
    layer = MaxPool(name=name, source=copied.tensor, window=window, output=node.output[0])
    index = np.arange(int(np.prod(size))).reshape((1, *size)[: len(view.shape)])
    importer.emit(node, layer, size, index)
