"""Values that lie in their tensors in different ways are brought to one: for sums, and for tensors put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import NodeProto

from ..graph import Mac, Term, Window
from .phases import Phases, interleaved, over_phases, phases_of
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["in_same_phases"]


def in_same_phases(importer: Importer, node: NodeProto, views: tuple[View, ...]) -> tuple[View, ...]:
    """Views of images of one height and width, each as a tensor that holds just them, all with the same phases.

    Where they do not lie so, a layer of weights 1 copies them: an image beside an enlarged one is taken apart into
    phases, so that both are tensors of the small size.

    Raises
    ------
    UnsupportedOperator
        If one is no image.
    """
    found = [phases_of(view, importer.tensors[view.tensor]) for view in views]
    images = [image for image in found if image is not None]
    sizes = {image.shape[1:] for image in images}
    if len(images) < len(found) or len(sizes) > 1:
        shapes = " and ".join(str(view.shape) for view in views)
        raise importer.unsupported(
            node, f"its operands of shapes {shapes} have different axis orders: bring both to channels first"
        )
    factor = int(np.lcm.reduce([image.factor for image in images]))
    parts = enumerate(zip(views, images, strict=True))
    return tuple(_taken_apart(importer, node, number, view, image, factor) for number, (view, image) in parts)


def _taken_apart(importer: Importer, node: NodeProto, number: int, view: View, image: Phases, factor: int) -> View:
    """The image in a tensor of its own in ``factor`` x ``factor`` phases, innermost in its channels."""
    channels, height, width = image.shape
    shape = (channels * factor**2, height // factor, width // factor)
    index = interleaved(np.arange(channels * height * width).reshape(1, *shape), (factor, factor))
    if importer.tensors[view.tensor] == shape and np.array_equal(view.index, index):
        return view
    picked = np.zeros((channels, factor, factor, channels, factor, factor))
    place = np.arange(channels)[:, np.newaxis, np.newaxis]
    y, x = np.ogrid[:factor, :factor]
    picked[place, y, x, place, y, x] = 1.0
    window = Window(kernel=(factor, factor), stride=(factor, factor))
    weights = picked.reshape(-1, channels, factor, factor)
    if not image.is_plain():
        weights, window, _ = over_phases(weights, window, image)
    name = importer.unique(f"{importer.label(node)}/phases{number}")
    output = f"{node.output[0]}/phases{number}"
    term = Term(source=view.tensor, weights=weights, window=window, step=np.ones(len(weights)))
    importer.layers.append(Mac(name=name, terms=(term,), bias=np.zeros(len(weights)), output=output))
    importer.tensors[output] = shape
    return View(output, index)
