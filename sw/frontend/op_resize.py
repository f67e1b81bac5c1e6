"""Resize and Upsample: to the nearest pixel a view, by weights of neighbouring pixels a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..errors import ModelError
from .copying import linear_map, phases_operand
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["resize"]

_BELOW = 1e-6
"""How far below the middle of two pixels, relatively, runtimes round up: single precision cannot tell it from there."""


def resize(importer: Importer, node: NodeProto) -> None:
    """Handler of Resize and Upsample."""
    attributes = importer.attributes(node)
    view = importer.chw(importer.view(node))
    sizes = _sizes(importer, node, view.shape)
    if any(target < 1 for target, _ in sizes):
        raise ModelError(f"node {importer.label(node)!r} resizes {view.shape} to nothing: export the model again")
    mode = attributes.get("mode", "nearest")
    shrinks = any(scale < 1 for _, scale in sizes)
    if attributes.get("antialias", 0) and shrinks and mode != "nearest":
        raise importer.unsupported(node, "antialias=1 weighs windows of many sizes: use an AveragePool, or antialias=0")
    if mode == "nearest":
        index = view.index
        for axis, (length, (target, scale)) in enumerate(zip(view.shape, sizes, strict=True)):
            if (target, scale) != (length, 1):
                index = np.take(index, _nearest(importer, node, length, target, scale), axis=axis)
        importer.views[node.output[0]] = View(view.tensor, index)
    elif mode in ("linear", "cubic"):
        _weighed(importer, node, view, sizes, mode)
    else:
        raise importer.unsupported(node, f"its mode {mode!r} is not one of nearest, linear, cubic")


def _weighed(importer: Importer, node: NodeProto, view: View, sizes: list[tuple[int, float]], mode: str) -> None:
    """A layer that weighs neighbouring pixels of lines and of columns."""
    if any(target != length for length, (target, _) in zip(view.shape[:2], sizes[:2], strict=True)):
        raise importer.unsupported(node, "only height and width can be resized")
    tensor, image = phases_operand(importer, node)
    wanted = [*sizes[2:]]
    if len(wanted) == 1:
        wanted.insert(0 if importer.lies_across(node) else 1, (1, 1.0))
    axes = zip(image.shape[1:], wanted, strict=True)
    matrices = [_matrix(importer, node, length, target, scale, mode) for length, (target, scale) in axes]
    found = linear_map(importer, node, tensor, image, (matrices[0], matrices[1]))
    if found is None:
        raise importer.unsupported(
            node,
            f"from {view.shape[2:]} to {tuple(target for target, _ in sizes[2:])} pixels its weights repeat too rarely "
            'for a layer: use a whole ratio, other coordinates, or mode="nearest"',
        )
    importer.views[node.output[0]] = importer.shown_like(node, found)


def _sizes(importer: Importer, node: NodeProto, shape: tuple[int, ...]) -> list[tuple[int, float]]:
    """Target and scale of each axis."""
    scales, sizes = (_factors(importer, node, shape, kind) for kind in ("scales", "sizes"))
    if sizes is not None:
        wanted = sizes / np.array(shape)
        policy = importer.attributes(node).get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            axes = _axes(importer, node, shape)
            one = (min if policy == "not_larger" else max)(wanted[axis] for axis in axes)
            for axis in axes:
                wanted[axis], sizes[axis] = one, np.floor(one * shape[axis] + 0.5)
        return [(int(size), float(scale)) for size, scale in zip(sizes, wanted, strict=True)]
    if scales is None:
        raise importer.unsupported(node, "its scales or sizes must be constant")
    targets = np.floor(np.array(shape, dtype=np.float32) * scales.astype(np.float32))
    return [(int(target), float(scale)) for target, scale in zip(targets, scales, strict=True)]


def _axes(importer: Importer, node: NodeProto, shape: tuple[int, ...]) -> list[int]:
    return [axis % len(shape) for axis in importer.attributes(node).get("axes", range(len(shape)))]


def _factors(importer: Importer, node: NodeProto, shape: tuple[int, ...], kind: str) -> NDArray[np.float64] | None:
    """``scales`` or ``sizes``, one entry for each axis: a constant operand, of the first Upsample an attribute."""
    position = ({"scales": 1} if _by_scales(importer, node) else {"scales": 2, "sizes": 3}).get(kind)
    operand = None if position is None else importer.constant(node, position)
    if kind == "scales" and node.op_type == "Upsample" and "scales" in importer.attributes(node):
        operand = np.array(importer.attributes(node)["scales"])
    if operand is None or not operand.size:
        return None
    factors = np.array(shape, dtype=np.float64) if kind == "sizes" else np.ones(len(shape))
    factors[_axes(importer, node, shape)] = operand.ravel()
    return factors


def _by_scales(importer: Importer, node: NodeProto) -> bool:
    """Whether a node is an Upsample, or the Resize of opset 10, which is the same by another name."""
    return node.op_type == "Upsample" or importer.opset < 11


def _places(
    importer: Importer, node: NodeProto, length: int, target: int, scale: float, kind: type[np.floating]
) -> NDArray[np.floating]:
    """Where each of ``target`` pixels lies in the input, in an arithmetic: runtimes round to pixels in single."""
    attributes: dict[str, Any] = importer.attributes(node)
    place, single = np.arange(target).astype(kind), kind(scale)
    half = (place + kind(0.5)) / single
    mode = attributes.get(
        "coordinate_transformation_mode", "asymmetric" if _by_scales(importer, node) else "half_pixel"
    )
    match mode:
        case "asymmetric":
            return place / single
        case "half_pixel":
            return half - kind(0.5)
        case "pytorch_half_pixel":
            return half - kind(0.5) if target > 1 else place * 0
        case "tf_half_pixel_for_nn":
            return half
        case "half_pixel_symmetric":
            return kind(length / 2) * (1 - kind(target / (single * length))) + half - kind(0.5)
        case "align_corners":
            return place * kind(length - 1) / kind(max(1, target - 1))
    raise importer.unsupported(node, f"its coordinates are {mode}: use asymmetric, half_pixel or align_corners")


def _nearest(importer: Importer, node: NodeProto, length: int, target: int, scale: float) -> NDArray[np.int64]:
    """Index of the pixel that each of ``target`` pixels is taken from."""
    place = _places(importer, node, length, target, scale, np.float32)
    rounding = importer.attributes(node).get(
        "nearest_mode", "floor" if _by_scales(importer, node) else "round_prefer_floor"
    )
    if (
        rounding == "floor"
        and importer.attributes(node).get("coordinate_transformation_mode") == "half_pixel_symmetric"
    ):
        raise importer.unsupported(node, "runtimes disagree about half_pixel_symmetric with floor: use half_pixel")
    rounded = {
        "floor": np.floor(place),
        "ceil": np.ceil(place),
        "round_prefer_floor": np.ceil(place - np.float32(0.5)),
        "round_prefer_ceil": np.floor(place.astype(np.float64) + 0.5 + _BELOW * np.maximum(1, np.abs(place))),
    }[rounding]
    return np.clip(rounded, 0, length - 1).astype(np.int64)


def _matrix(
    importer: Importer, node: NodeProto, length: int, target: int, scale: float, mode: str
) -> NDArray[np.float64]:
    """Weights (target, length) of the pixels around each of ``target`` places; beyond an end its pixel repeats."""
    if (target, scale) == (length, 1):
        return np.eye(length)
    place = _places(importer, node, length, target, scale, np.float64)
    matrix = np.zeros((target, length))
    if mode == "linear":
        place = np.clip(place, 0, length - 1)
    first = np.floor(place).astype(np.int64)
    rest = place - first
    if mode == "linear":
        taps = {0: 1 - rest, 1: rest}
    else:
        coefficient = importer.attributes(node).get("cubic_coeff_a", -0.75)
        taps = {offset: _cubic(rest - offset, coefficient) for offset in (-1, 0, 1, 2)}
    outside = bool(importer.attributes(node).get("exclude_outside", 0)) and mode == "cubic"
    for offset, weights in taps.items():
        lines = first + offset
        kept = (lines >= 0) & (lines < length) if outside else np.ones(target, dtype=np.bool_)
        np.add.at(matrix, (np.flatnonzero(kept), np.clip(lines, 0, length - 1)[kept]), weights[kept])
    return matrix / matrix.sum(axis=1, keepdims=True) if outside else matrix


def _cubic(distance: NDArray[np.floating], a: float) -> NDArray[np.float64]:
    """Kernel of cubic convolution (Keys 1981)."""
    x = np.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
