"""Copies of enlarged images in full size: one layer, whose output channels are phases of the image that it writes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from onnx import NodeProto

from ..enlarging import enlarged_shape
from ..layers import Mac, Term
from ..windows import Window
from .phases import Pair, Phases, over_phases, phases_of
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["enlarging_copy", "phase_terms"]

_MOST_PHASES, _FEW_PHASES = 64, 4
"""Phases of a copy: each is an instruction. Pixels that are shown many times are copied twice as often, and again."""


def enlarging_copy(importer: Importer, node: NodeProto, view: View, image: Phases) -> View | None:
    """An image in phases as a tensor of its own, lines and columns behind the image's last ones included.

    Parameters
    ----------
    view : View
        Of shape (1, C, h, w).
    image : Phases
        How it lies in its tensor.

    Returns
    -------
    View or None
        The image in the copy; None if phases lie in different places of the tensor, or are too many.
    """
    (_, height, width), factors = image.shape, image.factors
    if not 1 < math.prod(factors) <= _MOST_PHASES or np.ptp(image.lines) or np.ptp(image.columns):
        return None
    if math.prod(factors) > _FEW_PHASES and (halved := _halved(importer, node, view)) is not None:
        view, factors = halved, (2, 2)
        image = phases_of(view, importer.tensors[view.tensor]) or image
    terms, shape = phase_terms(view.tensor, image, factors, innermost=False)
    name, output = (importer.unique(f"{of}/whole") for of in (importer.label(node), node.output[0]))
    importer.layers.append(
        Mac(name=name, terms=terms, bias=np.zeros(shape[0]), output=output, copies=True, enlarge=factors)
    )
    whole = enlarged_shape(shape, factors)
    importer.tensors[output] = whole
    return View(output, np.arange(math.prod(whole)).reshape(1, *whole)[:, :, :height, :width])


def _halved(importer: Importer, node: NodeProto, view: View) -> View | None:
    """A value that shows each pixel 2 x 2 times as pixels of a copy that does so half as often; None of any other."""
    small = View(view.tensor, view.index[:, :, ::2, ::2])
    repeated = small.index.repeat(2, axis=2).repeat(2, axis=3)
    if not np.array_equal(repeated[:, :, : view.shape[2], : view.shape[3]], view.index):
        return None
    image = phases_of(small, importer.tensors[small.tensor])
    copied = None if image is None else enlarging_copy(importer, node, small, image)
    if copied is None:
        return None
    shown = copied.index.repeat(2, axis=2).repeat(2, axis=3)
    return View(copied.tensor, shown[:, :, : view.shape[2], : view.shape[3]])


def phase_terms(
    tensor: str, image: Phases, factors: Pair, *, innermost: bool
) -> tuple[tuple[Term, ...], tuple[int, int, int]]:
    """Terms of weight 1 that take an image apart into phases, and the shape (C * f * g, h / f, w / g) of these.

    ``innermost``: whether the phases of a channel lie side by side, and not the channels of a phase.
    """
    (channels, height, width), (f, g) = image.shape, factors
    picked = np.zeros((channels, f, g, channels, f, g))
    place = np.arange(channels)[:, np.newaxis, np.newaxis]
    y, x = np.ogrid[:f, :g]
    picked[place, y, x, place, y, x] = 1.0
    ordered = picked if innermost else picked.transpose(1, 2, 0, 3, 4, 5)
    window = Window(kernel=factors, stride=factors, pads=(0, 0, -height % f, -width % g))
    parts, _ = over_phases(ordered.reshape(-1, channels, f, g), window, image)
    shape = (channels * f * g, -(-height // f), -(-width // g))
    ones = np.ones(shape[0])
    return tuple(Term(source=tensor, weights=part.weights, window=part.window, step=ones) for part in parts), shape
