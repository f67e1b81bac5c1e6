"""Layers that copy or weigh pixels by their places: images whose lines and columns no view shows in order."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..layers import Mac, Term
from ..windows import Shape, Window
from .axis_map import AxisMap
from .enlarging import enlarging_copy
from .exchange import exchanged
from .phases import Part, Phases, interleaved, over_phases, phases_of
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["as_image", "image_operand", "in_full_size", "linear_map", "phases_operand", "whole_steps"]

_DENOMINATORS = 256
"""Largest common denominator of weights that is looked for."""

_MOST_TERMS, _MOST_TAPS = 16, 256
"""Terms and taps of a layer beyond which lines and columns are mapped by a layer each; copies, which lose nothing
between two layers, are by fewer taps."""


def whole_steps(weights: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Step (O,) of which all weights (O, ...) are whole multiples, the same of every channel; None if there is none."""
    scaled = np.unique(weights)
    for denominator in range(1, _DENOMINATORS):
        if np.abs(scaled * denominator - np.rint(scaled * denominator)).max() < 1e-9 * denominator:
            return np.full(len(weights), 1.0 / denominator)
    return None


def image_operand(importer: Importer, node: NodeProto, position: int = 0) -> tuple[str, Shape]:
    """Tensor and (C, H, W) of an operand that must be an image of 4 axes or a line of 3, copied if need be.

    Raises
    ------
    UnsupportedOperator
        If no copy makes it one.
    """
    view = importer.on_four_axes(node, position)
    image = as_image(importer, node, view, exchange=True)
    if image is None and (found := phases_of(view, importer.tensors[view.tensor])) is not None:
        image = _whole(importer, node, view, found)
    if image is None:
        raise importer.no_image(node, view)
    return image.tensor, importer.tensors[image.tensor]


def phases_operand(importer: Importer, node: NodeProto, position: int = 0) -> tuple[str, Phases]:
    """Tensor of an operand, and how the image lies in it: whole, in some of its pixels, or enlarged; a copy if need be.

    Raises
    ------
    UnsupportedOperator
        If no copy makes it an image.
    """
    view = importer.on_four_axes(node, position)
    found = phases_of(view, importer.tensors[view.tensor])
    if found is None:
        image = as_image(importer, node, view) or _copied(importer, node, view, plain=False)
        image = image or as_image(importer, node, view, exchange=True)
        if image is None:
            raise importer.no_image(node, view)
        view, found = image, phases_of(image, importer.tensors[image.tensor])
        assert found is not None, "maps give images in phases"
    view, found = in_full_size(importer, node, view, found)
    return view.tensor, found


def in_full_size(importer: Importer, node: NodeProto, view: View, image: Phases) -> tuple[View, Phases]:
    """An image in phases as a copy without them, if the importer wants it plain and one can be made."""
    if not importer.plain or image.factors == (1, 1):
        return view, image
    importer.enlarged = True
    copied = _whole(importer, node, view, image) or as_image(importer, node, view)
    return (view, image) if copied is None else (copied, Phases.plain(importer.tensors[copied.tensor]))


def _whole(importer: Importer, node: NodeProto, view: View, image: Phases) -> View | None:
    """An image in phases as a tensor of its own, written in pixel order; None if that cannot be."""
    key = (view.tensor, (*view.shape, "whole"), hashlib.blake2b(view.index.tobytes()).digest())
    if key not in importer.copies:
        copied = enlarging_copy(importer, node, view, image)
        importer.copies[key] = None if copied is None else as_image(importer, node, copied)
    return importer.copies[key]


def as_image(importer: Importer, node: NodeProto, view: View, *, exchange: bool = False) -> View | None:
    """A value of shape (1, C, H, W) as a tensor of its own in this order, copied if it is none; None if none can be.

    ``exchange``: whether a product of tensors may do it, which exchanges channels with pixels.
    """
    shape = importer.tensors[view.tensor]
    if view.shape == (1, *shape) and view.is_chw():
        return view
    key = (view.tensor, view.shape, hashlib.blake2b(view.index.tobytes()).digest())
    if key not in importer.copies:
        importer.copies[key] = _copied(importer, node, view)
    image = importer.copies[key]
    if image is None and exchange and (turned := exchanged(importer, node, view)) is not None:
        image = importer.copies[key] = as_image(importer, node, turned)
    return image


def _copied(importer: Importer, node: NodeProto, view: View, *, plain: bool = True) -> View | None:
    if len(view.shape) != 4 or view.shape[0] != 1:
        return None
    source = importer.tensors[view.tensor]
    image = phases_of(view, source)
    if image is not None and image.factors == (1, 1):
        size = np.eye(image.shape[1]), np.eye(image.shape[2])
        return linear_map(importer, node, view.tensor, image, size, plain=True)
    gathered = _gathered(view, source)
    if gathered is None:
        return None
    channels, matrices = gathered
    all_of_them = np.array_equal(channels, np.arange(source[0]))
    chosen = None if all_of_them else channels
    return linear_map(importer, node, view.tensor, Phases.plain(source), matrices, channels=chosen, plain=plain)


def _gathered(
    view: View, source: tuple[int, int, int]
) -> tuple[NDArray[np.int64], tuple[NDArray[np.float64], NDArray[np.float64]]] | None:
    """Channels, lines and columns that a value takes, each by one of its axes; None if it mixes them."""
    channel, pixel = np.divmod(view.index[0], source[1] * source[2])
    line, column = np.divmod(pixel, source[2])
    places = channel[:, 0, 0], line[0, :, 0], column[0, 0]
    expected = (places[0][:, None, None] * source[1] + places[1][:, None]) * source[2] + places[2]
    if (expected != view.index[0]).any():
        return None
    return places[0], (np.eye(source[1])[places[1]], np.eye(source[2])[places[2]])


def linear_map(
    importer: Importer,
    node: NodeProto,
    tensor: str,
    image: Phases,
    matrices: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    channels: NDArray[np.int64] | None = None,
    plain: bool = False,
) -> View | None:
    """A layer that applies a matrix to the lines, and one to the columns, of an image's channels.

    Parameters
    ----------
    tensor, image : str, Phases
        The image, and the tensor that it lies in.
    matrices : (array, array)
        Of shape (output lines, lines) and (output columns, columns).
    channels : array of int, optional
        Channels taken; all by default.
    plain : bool
        Whether the result must be an image without phases.

    Returns
    -------
    View or None
        Of the output, (1, C, H, W), perhaps in phases; None if the machine's border numbers do not reach.
    """
    down, right = (AxisMap.of(matrix, plain=plain) for matrix in matrices)
    if down is None or right is None:
        return None
    copies = all(np.isin(matrix, (0, 1)).all() and matrix.sum(axis=1).max() <= 1 for matrix in matrices)
    taps = down.taps, right.taps
    if min(taps) > 1 and (
        len(down.pieces) * len(right.pieces) > _MOST_TERMS or taps[0] * taps[1] > (sum(taps) if copies else _MOST_TAPS)
    ):
        size = np.eye(image.shape[1]), np.eye(image.shape[2])
        lines = linear_map(importer, node, tensor, image, (matrices[0], size[1]), channels=channels, plain=plain)
        found = None if lines is None else phases_of(lines, importer.tensors[lines.tensor])
        if lines is not None and found is not None:
            own = np.eye(len(matrices[0]))
            return linear_map(importer, node, lines.tensor, found, (own, matrices[1]), plain=plain)
    ways, steps = (down.ways, right.ways), (down.stride, right.stride)
    picked = np.arange(image.shape[0]) if channels is None else channels
    depthwise = ways == (1, 1) and channels is None and image.keeps_channels()
    terms: list[Term] = []
    inner = (1, 1)
    for vertical, horizontal in itertools.product(down.pieces, right.pieces):
        taps = np.einsum("vi,hj->vhij", vertical.weights, horizontal.weights)
        pads = down.pads(vertical), right.pads(horizontal)
        window = Window(
            kernel=(taps.shape[2], taps.shape[3]),
            stride=steps,
            pads=(pads[0][0], pads[1][0], pads[0][1], pads[1][1]),
            inset=(vertical.insets[0], horizontal.insets[0], vertical.insets[1], horizontal.insets[1]),
        )
        if depthwise:
            weights = np.broadcast_to(taps[0, 0], (image.shape[0], 1, *window.kernel)).copy()
        else:
            weights = np.zeros((len(picked), *ways, image.shape[0], *window.kernel))
            weights[np.arange(len(picked)), :, :, picked] = taps
            weights = weights.reshape(-1, image.shape[0], *window.kernel)
        parts = [Part(weights, window)]
        if not image.is_plain():
            parts, inner = over_phases(weights, window, image)
        terms += [_term(tensor, part, depthwise) for part in parts]
    counts = -(-down.count // inner[0]), -(-right.count // inner[1])
    shape = (len(picked) * ways[0] * ways[1] * inner[0] * inner[1], *counts)
    result = _written(importer, node, tuple(terms), shape, copies=copies)
    index = interleaved(result.index, inner)[:, :, : down.count, : right.count]
    return View(result.tensor, interleaved(index, ways)[:, :, : down.outputs, : right.outputs])


def _term(tensor: str, part: Part, depthwise: bool) -> Term:
    """A part as a term of weights that come from the graph's structure."""
    constant = depthwise and np.ptp(part.weights) == 0
    step = None if constant else whole_steps(part.weights)
    return Term(
        source=tensor, weights=part.weights, window=part.window, depthwise=depthwise, constant=constant, step=step
    )


def _written(
    importer: Importer, node: NodeProto, terms: tuple[Term, ...], shape: tuple[int, int, int], *, copies: bool
) -> View:
    """Adds a layer of terms alone; the view is the whole of its output."""
    what = "copy" if copies else "map"
    name = importer.unique(f"{importer.label(node)}/{what}")
    output = importer.unique(f"{node.output[0]}/{what}")
    importer.layers.append(Mac(name=name, terms=terms, bias=np.zeros(shape[0]), output=output, copies=copies))
    importer.tensors[output] = shape
    return View(output, np.arange(int(np.prod(shape))).reshape(1, *shape))
