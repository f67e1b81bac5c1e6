"""Values that lie in their tensors in different ways are brought to one: for sums, and for tensors put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import NodeProto

from ..layers import Mac
from .copying import as_image, in_full_size
from .enlarging import phase_terms
from .phases import Pair, Phases, interleaved, phases_of
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["IMAGE_ORDERS", "in_same_phases", "on_image_axes"]

IMAGE_ORDERS = ((0, 1, 2, 3), (0, 3, 1, 2), (0, 2, 1, 3), (0, 2, 3, 1))
"""Axes of values of four axes as (batch, channels, height, width); the last two of lines, channels last."""

_MOST_ELEMENTS = 1024
"""Elements of values that are brought to one order by a dense layer, where no other does."""


def on_image_axes(view: View) -> View:
    """The value with axes of 1 behind it until they are four."""
    return View(view.tensor, view.index.reshape(*view.shape, *(1,) * (4 - len(view.shape))))


def in_same_phases(importer: Importer, node: NodeProto, views: tuple[View, ...]) -> tuple[View, ...]:
    """Values of one shape, each as a tensor that holds just them, all with the same phases.

    Where they do not lie so, a layer of weights 1 copies them: an image beside an enlarged one is taken apart into
    phases, so that both are tensors of the small size.

    Raises
    ------
    UnsupportedOperator
        If one cannot be copied into an image.
    """
    shape = views[0].shape
    if not 0 < len(shape) <= 4 or shape[0] != 1:
        raise importer.no_image(node, views[0])
    values = [on_image_axes(view) for view in views]
    found = _in_some_order(importer, node, values)
    if found is None and values[0].index.size <= _MOST_ELEMENTS:  # one pixel of as many channels
        flat = [_image(importer, node, View(value.tensor, value.index.reshape(1, -1, 1, 1))) for value in values]
        found = _aligned(importer, node, [image for image in flat if image is not None])
    if found is None:
        found = _in_some_order(importer, node, values, exchange=True)
    if found is None:
        raise importer.no_image(node, views[0])
    return tuple(View(view.tensor, view.index.reshape(shape)) for view in found)


def _in_some_order(
    importer: Importer, node: NodeProto, values: list[View], *, exchange: bool = False
) -> list[View] | None:
    """Values of four axes, all images with their axes in one order, with the same phases; None if there is none.

    The order in which more of them are tensors of their own comes first.
    """

    def strange(order: tuple[int, ...]) -> int:
        moved = [View(value.tensor, value.index.transpose(order)) for value in values]
        return sum(not (view.shape[1:] == importer.tensors[view.tensor] and view.is_chw()) for view in moved)

    for order in sorted(IMAGE_ORDERS, key=strange):
        moved = [View(value.tensor, value.index.transpose(order)) for value in values]
        images = [_image(importer, node, value, exchange=exchange) for value in moved]
        if all(image is not None for image in images):
            aligned = _aligned(importer, node, [image for image in images if image is not None])
            back = np.argsort(order)
            return [View(view.tensor, view.index.transpose(back)) for view in aligned]
    return None


def _image(importer: Importer, node: NodeProto, view: View, *, exchange: bool = False) -> tuple[View, Phases] | None:
    """A value (1, C, H, W), perhaps copied, and how it lies in its tensor."""
    image = phases_of(view, importer.tensors[view.tensor])
    if image is None:
        copied = as_image(importer, node, view, exchange=exchange)
        return None if copied is None else (copied, Phases.plain(importer.tensors[copied.tensor]))
    return in_full_size(importer, node, view, image)


def _aligned(importer: Importer, node: NodeProto, images: list[tuple[View, Phases]]) -> list[View]:
    factors = tuple(int(np.lcm.reduce([image.factors[axis] for _, image in images])) for axis in range(2))
    return [
        _taken_apart(importer, node, number, view, image, (factors[0], factors[1]))
        for number, (view, image) in enumerate(images)
    ]


def _taken_apart(importer: Importer, node: NodeProto, number: int, view: View, image: Phases, factors: Pair) -> View:
    """The image in a tensor of its own in so many phases, innermost in its channels."""
    (channels, height, width), (f, g) = image.shape, factors
    if factors == (1, 1) and (copied := as_image(importer, node, view)) is not None:
        return copied
    shape = (channels * f * g, -(-height // f), -(-width // g))
    index = interleaved(np.arange(int(np.prod(shape))).reshape(1, *shape), factors)[:, :, :height, :width]
    if importer.tensors[view.tensor] == shape and np.array_equal(view.index, index):
        return view
    terms, _ = phase_terms(view.tensor, image, factors, innermost=True)
    name = importer.unique(f"{importer.label(node)}/phases{number}")
    output = f"{node.output[0]}/phases{number}"
    importer.layers.append(Mac(name=name, terms=terms, bias=np.zeros(shape[0]), output=output, copies=True))
    importer.tensors[output] = shape
    return View(output, index)
