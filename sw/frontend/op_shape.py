"""Operators that move no data: they change the view of a tensor, not the tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from .phases import interleaved
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["REARRANGEMENTS", "parts_of", "rearrange", "split"]

Index = NDArray[np.int64]


def _axes(importer: Importer, node: NodeProto) -> tuple[int, ...] | None:
    """Axes of Squeeze and Unsqueeze: an operand since opset 13, an attribute before."""
    operand = importer.constant(node, 1)
    axes: Any = importer.attributes(node).get("axes") if operand is None else operand.ravel()
    return None if axes is None else tuple(int(axis) for axis in axes)


def _identity(importer: Importer, node: NodeProto, index: Index) -> Index:
    return index


def _cast(importer: Importer, node: NodeProto, index: Index) -> Index:
    if importer.attributes(node)["to"] not in (1, 10, 11):
        raise importer.unsupported(node, "only casts between floating-point types can be dropped")
    return index


def _reshape(importer: Importer, node: NodeProto, index: Index) -> Index:
    target = importer.constant(node, 1)
    if target is None:
        raise importer.unsupported(node, "its shape must be constant")
    keep = not importer.attributes(node).get("allowzero", 0)
    shape = [index.shape[axis] if size == 0 and keep else int(size) for axis, size in enumerate(target.ravel())]
    return index.reshape(shape)


def _flatten(importer: Importer, node: NodeProto, index: Index) -> Index:
    axis = importer.attributes(node).get("axis", 1)
    return index.reshape(int(np.prod(index.shape[:axis], dtype=np.int64)), -1)


def _squeeze(importer: Importer, node: NodeProto, index: Index) -> Index:
    return np.squeeze(index, _axes(importer, node))


def _unsqueeze(importer: Importer, node: NodeProto, index: Index) -> Index:
    return np.expand_dims(index, _axes(importer, node) or ())


def _transpose(importer: Importer, node: NodeProto, index: Index) -> Index:
    return index.transpose(importer.attributes(node).get("perm"))


def _depth_to_space(importer: Importer, node: NodeProto, index: Index) -> Index:
    size = importer.attributes(node)["blocksize"]
    _, channels, height, width = index.shape
    if importer.attributes(node).get("mode", "DCR") == "DCR":
        split = index.reshape(size, size, channels // size**2, height, width).transpose(2, 0, 1, 3, 4)
        index = split.reshape(1, channels, height, width)
    return interleaved(index, (size, size))


def _gather(importer: Importer, node: NodeProto, index: Index) -> Index:
    chosen = importer.constant(node, 1)
    if chosen is None:
        raise importer.unsupported(node, "its indices must be constant")
    return np.take(index, chosen.astype(np.int64), axis=importer.attributes(node).get("axis", 0))


def _slice(importer: Importer, node: NodeProto, index: Index) -> Index:
    starts, ends, axes, steps = _slice_operands(importer, node)
    if starts is None or ends is None:
        raise importer.unsupported(node, "its starts, ends, axes and steps must be constant")
    cut = [slice(None)] * index.ndim
    axes, steps = axes or range(len(starts)), steps or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        cut[axis] = slice(start, None if step < 0 and end < -index.shape[axis] else end, step)
    return index[tuple(cut)]


def _slice_operands(importer: Importer, node: NodeProto) -> list[list[int] | None]:
    """Starts, ends, axes and steps: operands since opset 10, attributes before; None for absent ones."""
    if importer.opset < 10:
        attributes = importer.attributes(node)
        return [attributes.get(name) for name in ("starts", "ends", "axes", "steps")]
    operands = [importer.constant(node, position) for position in range(1, 5)]
    given = [bool(name) for name in node.input[1:]] + [False] * 4
    if any(operand is None and wanted for operand, wanted in zip(operands, given, strict=False)):
        return [None] * 4
    return [None if operand is None else [int(value) for value in operand.ravel()] for operand in operands]


def _space_to_depth(importer: Importer, node: NodeProto, index: Index) -> Index:
    size = importer.attributes(node)["blocksize"]
    _, channels, height, width = index.shape
    split = index.reshape(channels, height // size, size, width // size, size).transpose(2, 4, 0, 1, 3)
    return split.reshape(1, -1, height // size, width // size)


def _expand(importer: Importer, node: NodeProto, index: Index) -> Index:
    shape = importer.constant(node, 1)
    if shape is None:
        raise importer.unsupported(node, "its shape must be constant")
    return np.broadcast_to(index, np.broadcast_shapes(index.shape, tuple(shape.ravel().tolist())))


def _tile(importer: Importer, node: NodeProto, index: Index) -> Index:
    repeats = importer.constant(node, 1)
    if repeats is None:
        raise importer.unsupported(node, "its repeats must be constant")
    return np.tile(index, repeats.ravel().tolist())


REARRANGEMENTS: dict[str, Callable[[Importer, NodeProto, Index], Index]] = {
    "Identity": _identity,
    "Dropout": _identity,
    "Cast": _cast,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Expand": _expand,
    "Tile": _tile,
    "Slice": _slice,
    "Gather": _gather,
}
"""What each operator does to a view's index array."""


def rearrange(importer: Importer, node: NodeProto) -> None:
    """Handler of all `REARRANGEMENTS`."""
    if node.op_type == "Dropout" and (training := importer.constant(node, 2)) is not None and training.any():
        raise importer.unsupported(node, "export the model in evaluation mode")
    if node.op_type == "Gather" and node.input[0] in importer.constants:
        hint = "it looks a table up by values of the sample: begin the model behind it, its input can be what it gives"
        raise importer.unsupported(node, hint)
    view = importer.view(node)
    index = REARRANGEMENTS[node.op_type](importer, node, view.index)
    importer.views[node.output[0]] = View(view.tensor, index)


def split(importer: Importer, node: NodeProto) -> None:
    """Handler of Split: every output is a view of a part."""
    view = importer.view(node)
    for name, part in zip(node.output, parts_of(importer, node, view.index), strict=True):
        importer.views[name] = View(view.tensor, part)


def parts_of(importer: Importer, node: NodeProto, index: Index) -> list[Index]:
    """What Split makes of an index array."""
    attributes = importer.attributes(node)
    axis, sizes = attributes.get("axis", 0), importer.constant(node, 1)
    if sizes is None and len(node.input) > 1 and node.input[1]:
        raise importer.unsupported(node, "its sizes must be constant")
    given = attributes.get("split") if sizes is None else sizes.ravel().tolist()
    length = index.shape[axis]
    share = -(-length // len(node.output))
    ends = np.cumsum(given) if given is not None else np.minimum(share * np.arange(1, len(node.output) + 1), length)
    return np.split(index, ends[:-1], axis=axis)
