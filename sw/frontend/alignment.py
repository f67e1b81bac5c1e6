"""Values that lie in their tensors in different ways are brought to one: for sums, and for tensors put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import NodeProto

from ..layers import Mac, Term
from ..windows import Window
from .copying import as_image, in_full_size
from .phases import Pair, Phases, interleaved, over_phases, phases_of
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["IMAGE_ORDERS", "in_same_phases", "on_image_axes"]

IMAGE_ORDERS = ((0, 1, 2, 3), (0, 3, 1, 2))
"""Axes of values of four axes as (batch, channels, height, width)."""


_ORDERS = ((0, 1, 2, 3), (0, 3, 1, 2))
"""Axes of values of four axes as (batch, channels, height, width)."""


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
    for order in _ORDERS:
        moved = [View(value.tensor, value.index.transpose(order)) for value in values]
        images = [_image(importer, node, value) for value in moved]
        if all(image is not None for image in images):
            aligned = _aligned(importer, node, [image for image in images if image is not None])
            back = np.argsort(order)
            return tuple(View(view.tensor, view.index.transpose(back).reshape(shape)) for view in aligned)
    if values[0].index.size <= _MOST_ELEMENTS:  # one pixel of as many channels
        flat = [_image(importer, node, View(value.tensor, value.index.reshape(1, -1, 1, 1))) for value in values]
        aligned = _aligned(importer, node, [image for image in flat if image is not None])
        return tuple(View(view.tensor, view.index.reshape(shape)) for view in aligned)
    raise importer.no_image(node, views[0])


def _image(importer: Importer, node: NodeProto, view: View) -> tuple[View, Phases] | None:
    """A value (1, C, H, W), perhaps copied, and how it lies in its tensor."""
    image = phases_of(view, importer.tensors[view.tensor])
    if image is None:
        copied = as_image(importer, node, view)
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
    picked = np.zeros((channels, f, g, channels, f, g))
    place = np.arange(channels)[:, np.newaxis, np.newaxis]
    y, x = np.ogrid[:f, :g]
    picked[place, y, x, place, y, x] = 1.0
    window = Window(kernel=factors, stride=factors, pads=(0, 0, -height % f, -width % g))
    parts, _ = over_phases(picked.reshape(-1, channels, f, g), window, image)
    name = importer.unique(f"{importer.label(node)}/phases{number}")
    output = f"{node.output[0]}/phases{number}"
    terms = tuple(
        Term(source=view.tensor, weights=part.weights, window=part.window, step=np.ones(shape[0])) for part in parts
    )
    importer.layers.append(Mac(name=name, terms=terms, bias=np.zeros(shape[0]), output=output, copies=True))
    importer.tensors[output] = shape
    return View(output, index)
