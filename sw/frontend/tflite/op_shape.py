"""Operators that move elements, or put tensors together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .records import TfliteNode
from .slicing import slices_of

if TYPE_CHECKING:
    from .converter import Converter

__all__ = [
    "concatenation",
    "gather",
    "pack",
    "reshape",
    "reverse",
    "slice_of",
    "split",
    "strided_slice",
    "tile",
    "transpose",
    "unpack",
]


def reshape(converter: Converter, node: TfliteNode) -> str:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: the output's shape says all."""
    size = converter.output_shape(node)
    converter.check(node, [math.prod(converter.shape(node))], [math.prod(size)])
    return converter.reshaped(converter.operand(node), size, node)


def transpose(converter: Converter, node: TfliteNode) -> str:
    """TRANSPOSE."""
    order = [int(axis) for axis in converter.data(node, 1)]
    converter.check(node, [converter.shape(node)[axis] for axis in order], converter.output_shape(node))
    return converter.emit("Transpose", [converter.operand(node)], converter.label(node), perm=order)


def concatenation(converter: Converter, node: TfliteNode) -> str:
    """CONCATENATION on any axis."""
    axes = len(converter.shape(node))
    values = [converter.first(converter.operand(node, each), node, axes) for each in range(len(node.inputs))]
    axis = converter.axis(node.options["Axis"], axes)
    return converter.last(converter.emit("Concat", values, converter.label(node), axis=axis), node, axes)


def _cut(converter: Converter, node: TfliteNode, index: tuple) -> str:
    """The operand under an index of numpy's."""
    size = converter.shape(node)
    where = np.arange(int(np.prod(size))).reshape(size)[index]
    converter.check(node, where.shape, converter.output_shape(node))
    value, spread = converter.operand(node), [each for each in index if each is not None]
    if ... in spread:
        at = spread.index(...)
        spread[at : at + 1] = [slice(None)] * (len(size) - len(spread) + 1)
    rows = []
    for axis, each in enumerate(spread):
        if isinstance(each, int):
            each = slice(each, each + 1 if each != -1 else None)
        lines = range(size[axis])[each]
        if len(lines) < size[axis] or lines.step < 0:
            last = lines[-1] + (1 if lines.step > 0 else -1)
            end, place = last if last >= 0 else np.iinfo(np.int64).min, converter.axis(axis, len(size))
            rows.append((lines[0], end, place, lines.step))
    if rows:
        bounds = [converter.constant("cut", np.array(column, np.int64)) for column in zip(*rows, strict=True)]
        value = converter.first(value, node, len(size))
        value = converter.last(converter.emit("Slice", [value, *bounds], converter.label(node)), node, len(size))
        if where.ndim == len(size) and not any(isinstance(each, int) for each in spread):
            return value
    return converter.reshaped(value, where.shape, node)


def strided_slice(converter: Converter, node: TfliteNode) -> str:
    """STRIDED_SLICE with all its masks."""
    begin, end, stride = (np.ravel(converter.data(node, position)) for position in (1, 2, 3))
    return _cut(converter, node, slices_of(node.options, len(converter.shape(node)), begin, end, stride))


def slice_of(converter: Converter, node: TfliteNode) -> str:
    """SLICE; a size of -1 reaches to the end."""
    begin, size = (np.ravel(converter.data(node, position)).tolist() for position in (1, 2))
    return _cut(converter, node, tuple(slice(b, None if s < 0 else b + s) for b, s in zip(begin, size, strict=True)))


def reverse(converter: Converter, node: TfliteNode) -> str:
    """REVERSE_V2."""
    axes = {int(axis) % len(converter.shape(node)) for axis in np.ravel(converter.data(node, 1))}
    index = (slice(None, None, -1 if axis in axes else 1) for axis in range(len(converter.shape(node))))
    return _cut(converter, node, tuple(index))


def split(converter: Converter, node: TfliteNode) -> list[str]:
    """SPLIT into equal parts (axis first) and SPLIT_V into given ones (axis last)."""
    equal = node.kind == "SPLIT"
    image, axis = (1, 0) if equal else (0, 2)
    size = converter.shape(node, image)
    along = int(np.ravel(converter.data(node, axis))[0]) % len(size)
    count = len(node.outputs)
    lengths = [size[along] // count] * count if equal else np.ravel(converter.data(node, 1)).tolist()
    lengths = [size[along] - sum(n for n in lengths if n >= 0) if length < 0 else length for length in lengths]
    name, first = converter.label(node), f"{converter.label(node).split(';')[0]}:Split{len(converter.nodes)}"
    outputs = [f"{first}/{number}" for number in range(count)]
    parts = converter.constant("lengths", np.array(lengths, np.int64))
    whole = converter.first(converter.operand(node, image), node, len(size))
    converter.emit_as("Split", [whole, parts], outputs, name, axis=converter.axis(along, len(size)))
    return [converter.last(output, node, len(size)) for output in outputs]


def unpack(converter: Converter, node: TfliteNode) -> list[str]:
    """UNPACK: every index of an axis on its own."""
    axis = node.options["Axis"] % len(converter.shape(node))
    indices = [converter.constant("index", np.array(number, np.int64)) for number in range(len(node.outputs))]
    value, name = converter.operand(node), converter.label(node)
    return [converter.emit("Gather", [value, index], name, axis=axis) for index in indices]


def pack(converter: Converter, node: TfliteNode) -> str:
    """PACK: tensors beside each other on a new axis."""
    axis = node.options["Axis"] % (len(converter.shape(node)) + 1)
    where, name = converter.constant("axes", np.array([axis], np.int64)), converter.label(node)
    values = [
        converter.emit("Unsqueeze", [converter.operand(node, position), where], name)
        for position in range(len(node.inputs))
    ]
    return converter.emit("Concat", values, name, axis=axis)


def gather(converter: Converter, node: TfliteNode) -> str:
    """GATHER by constant indices."""
    if node.options["BatchDims"]:
        raise converter.unsupported(node, "its indices differ from sample to sample: gather on the host")
    indices = converter.constant("indices", converter.data(node, 1).astype(np.int64))
    axis = node.options["Axis"] % len(converter.shape(node))
    return converter.emit("Gather", [converter.operand(node), indices], converter.label(node), axis=axis)


def tile(converter: Converter, node: TfliteNode) -> str:
    """TILE, as elements picked several times."""
    value, name = converter.operand(node), converter.label(node)
    for axis, times in enumerate(np.ravel(converter.data(node, 1)).tolist()):
        if times != 1:
            lines = converter.constant("lines", np.tile(np.arange(converter.shape(node)[axis]), times))
            value = converter.emit("Gather", [value, lines], name, axis=axis)
    return value
