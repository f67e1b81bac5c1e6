"""Layers that copy or weigh pixels by their places: images whose lines and columns no view shows in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..graph import Mac, Shape, Term, Window
from .axis_map import AxisMap
from .phases import Phases, interleaved, over_phases, phases_of
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["as_image", "image_operand", "linear_map", "phases_operand", "whole_steps"]

_DENOMINATORS = 4096
"""Largest common denominator of weights that is looked for."""

_MOST_TERMS = 16
"""Terms of a layer beyond which lines and columns are mapped by a layer each."""


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
    image = as_image(importer, node, view)
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
        if image is None:
            raise importer.no_image(node, view)
        view, found = image, phases_of(image, importer.tensors[image.tensor])
        assert found is not None, "maps give images in phases"
    return view.tensor, found


def as_image(importer: Importer, node: NodeProto, view: View) -> View | None:
    """A value of shape (1, C, H, W) as a tensor of its own in this order, copied if it is none; None if none can be."""
    shape = importer.tensors[view.tensor]
    if view.shape == (1, *shape) and view.is_chw():
        return view
    key = (view.tensor, view.shape, view.index.tobytes())
    if key not in importer.copies:
        importer.copies[key] = _copied(importer, node, view)
    return importer.copies[key]


def _copied(importer: Importer, node: NodeProto, view: View, *, plain: bool = True) -> View | None:
    if len(view.shape) != 4 or view.shape[0] != 1:
        return None
    source = importer.tensors[view.tensor]
    image = phases_of(view, source)
    if image is not None and image.factors == (1, 1):
        channels = image.shape[0]
        weights = np.ones((channels, 1, 1, 1)) if image.keeps_channels() else np.eye(channels)[:, :, None, None]
        (part,), _ = over_phases(weights, Window(kernel=(1, 1)), image)
        depthwise = image.keeps_channels()
        step = None if depthwise else np.ones(channels)
        term = Term(
            source=view.tensor,
            weights=part.weights,
            window=part.window,
            depthwise=depthwise,
            constant=depthwise,
            step=step,
        )
        return _written(importer, node, "copy", (term,), image.shape)
    gathered = _gathered(view, source)
    if gathered is None:
        return None
    channels, matrices = gathered
    return linear_map(importer, node, view.tensor, matrices, channels=channels, plain=plain)


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
    matrices: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    channels: NDArray[np.int64] | None = None,
    plain: bool = False,
) -> View | None:
    """A layer that applies a matrix to the lines, and one to the columns, of a tensor's channels.

    Parameters
    ----------
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
    source = importer.tensors[tensor]
    down, right = (AxisMap.of(matrix, plain=plain) for matrix in matrices)
    if down is None or right is None:
        return None
    if min(len(down.pieces), len(right.pieces)) > 1 and len(down.pieces) * len(right.pieces) > _MOST_TERMS:
        lines = linear_map(importer, node, tensor, (matrices[0], np.eye(source[2])), channels=channels, plain=True)
        if lines is not None:
            return linear_map(importer, node, lines.tensor, (np.eye(len(matrices[0])), matrices[1]), plain=plain)
    ways = (down.ways, right.ways)
    picked = np.arange(source[0]) if channels is None else channels
    depthwise = ways == (1, 1) and channels is None
    terms = []
    for vertical in down.pieces:
        for horizontal in right.pieces:
            taps = np.einsum("vi,hj->vhij", vertical.weights, horizontal.weights)
            used = [np.flatnonzero(piece.weights.any(axis=0))[[0, -1]] for piece in (vertical, horizontal)]
            taps = taps[:, :, used[0][0] : used[0][1] + 1, used[1][0] : used[1][1] + 1]
            kernel = (taps.shape[2], taps.shape[3])
            firsts = vertical.first + int(used[0][0]), horizontal.first + int(used[1][0])
            pads = [
                (-first, (axis.count - 1) * axis.stride + first + size - axis.size)
                for axis, first, size in zip((down, right), firsts, kernel, strict=True)
            ]
            window = Window(
                kernel=kernel,
                stride=(down.stride, right.stride),
                pads=(pads[0][0], pads[1][0], pads[0][1], pads[1][1]),
                inset=(vertical.insets[0], horizontal.insets[0], vertical.insets[1], horizontal.insets[1]),
            )
            if depthwise:
                weights = np.broadcast_to(taps[0, 0], (source[0], 1, *kernel)).copy()
            else:
                weights = np.zeros((len(picked), *ways, source[0], *kernel))
                weights[np.arange(len(picked)), :, :, picked] = taps
                weights = weights.reshape(-1, source[0], *kernel)
            constant = depthwise and np.ptp(weights) == 0
            step = None if constant else whole_steps(weights)
            terms.append(
                Term(source=tensor, weights=weights, window=window, depthwise=depthwise, constant=constant, step=step)
            )
    shape = (len(picked) * ways[0] * ways[1], down.count, right.count)
    result = _written(importer, node, "map", tuple(terms), shape)
    index = interleaved(result.index, ways)[:, :, : down.outputs, : right.outputs]
    return View(result.tensor, index)


def _written(
    importer: Importer, node: NodeProto, what: str, terms: tuple[Term, ...], shape: tuple[int, int, int]
) -> View:
    """Adds a layer of terms alone; the view is the whole of its output."""
    name = importer.unique(f"{importer.label(node)}/{what}")
    output = importer.unique(f"{node.output[0]}/{what}")
    importer.layers.append(Mac(name=name, terms=terms, bias=np.zeros(shape[0]), output=output))
    importer.tensors[output] = shape
    return View(output, np.arange(int(np.prod(shape))).reshape(1, *shape))
