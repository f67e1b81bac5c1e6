"""Pools, padding, images enlarged and taken apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tflite
from numpy.typing import NDArray

from .records import TfliteNode
from .windows import border_of, image_pads, strides_of

if TYPE_CHECKING:
    from .converter import Converter

__all__ = [
    "average_pool",
    "batch_to_space",
    "blocks",
    "max_pool",
    "mirror_pad",
    "pad",
    "resize_bilinear",
    "resize_nearest",
    "space_to_batch",
]


def average_pool(converter: Converter, node: TfliteNode) -> str:
    """AVERAGE_POOL_2D: padding is left out of the average."""
    kernel = node.options["FilterHeight"], node.options["FilterWidth"]
    return converter.on_image(
        "AveragePool",
        node,
        converter.operand(node),
        kernel_shape=list(kernel),
        strides=strides_of(node),
        pads=border_of(converter, node, kernel, (1, 1)),
    )


def max_pool(converter: Converter, node: TfliteNode) -> str:
    """MAX_POOL_2D, with the border that a padding of lowest values before it would make."""
    kernel = node.options["FilterHeight"], node.options["FilterWidth"]
    source, pads = node.inputs[0], border_of(converter, node, kernel, (1, 1))
    if source in converter.padded:
        source, amounts = converter.padded[source]
        border = image_pads(amounts)
        if border is None or any(pads):
            raise converter.unsupported(node, "its input is padded in a way that no pool has: pad height and width")
        pads = border
    value = converter.value(source)
    return converter.on_image("MaxPool", node, value, kernel_shape=list(kernel), strides=strides_of(node), pads=pads)


def pad(converter: Converter, node: TfliteNode) -> str | tuple[str, ...]:
    """PAD with zeros, PADV2 with any value: lowest ones before maxima become their border."""
    amounts = _amounts(converter, node)
    image = amounts.shape == (4, 2)
    sides = amounts[[0, 3, 1, 2]] if image else amounts
    inputs = [converter.operand(node), converter.constant("pads", sides.T.reshape(-1))]
    if len(node.inputs) > 2 and node.inputs[2] >= 0:
        if _is_lowest(converter, node, converter.data(node, 2)):
            converter.padded[node.outputs[0]] = node.inputs[0], amounts
            return ()
        inputs.append(converter.constant("fill", np.float32(_real(converter, node, 2))))
    if image:
        return converter.on_image("Pad", node, inputs[0], inputs[1:])
    return converter.emit("Pad", inputs, converter.label(node))


def _real(converter: Converter, node: TfliteNode, position: int) -> float:
    """Real value of a constant operand with one element."""
    tensor, data = converter.tensors[node.inputs[position]], converter.data(node, position)
    if tensor.scale is None:
        return float(data.item())
    return float(np.float64(tensor.scale.item()) * (int(data.item()) - int(tensor.zero.item())))


def _is_lowest(converter: Converter, node: TfliteNode, value: NDArray) -> bool:
    """Whether a fill is so low that no maximum is ever it, and only maxima read it."""
    if value.dtype.kind == "f":
        lowest = value.item() <= np.finfo(np.float32).min
    else:
        lowest = value.item() == np.iinfo(value.dtype).min
    readers = converter.readers(node.outputs[0])
    return bool(lowest and readers and all(reader.kind == "MAX_POOL_2D" for reader in readers))


def mirror_pad(converter: Converter, node: TfliteNode) -> str:
    """MIRROR_PAD without the edge itself (REFLECT)."""
    if node.options["Mode"] != tflite.MirrorPadMode.REFLECT:
        raise converter.unsupported(node, "only REFLECT is known: pad with zeros")
    pads = converter.constant("pads", _amounts(converter, node).T.reshape(-1))
    return converter.emit("Pad", [converter.operand(node), pads], converter.label(node), mode="reflect")


def _amounts(converter: Converter, node: TfliteNode) -> NDArray[np.int64]:
    """Elements before and behind each axis, (axes, 2)."""
    amounts = converter.data(node, 1).astype(np.int64)
    if amounts.min(initial=0) < 0:
        raise converter.unsupported(node, "negative amounts crop: use SLICE")
    converter.check(node, converter.shape(node) + amounts.sum(axis=1), converter.output_shape(node))
    return amounts


def resize_nearest(converter: Converter, node: TfliteNode) -> str:
    """RESIZE_NEAREST_NEIGHBOR: lines and columns of the image, picked in the format's own float32 arithmetic."""
    value = converter.first(converter.operand(node), node)
    for axis, total in enumerate(np.ravel(converter.data(node, 1)).tolist(), start=1):
        size = converter.shape(node)[axis]
        corners = node.options["AlignCorners"] and total > 1
        scale = np.float32(size - 1) / np.float32(total - 1) if corners else np.float32(size) / np.float32(total)
        place = (np.arange(total, dtype=np.float32) + np.float32(0.5 * node.options["HalfPixelCenters"])) * scale
        place = np.floor(place + np.float32(0.5)) if corners else np.floor(place)
        picked = converter.constant("lines", np.clip(place, 0, size - 1).astype(np.int64))
        converter.check(node, [total], [converter.output_shape(node)[axis]])
        value = converter.emit("Gather", [value, picked], converter.label(node), axis=converter.axis(axis, 4))
    return converter.last(value, node)


def resize_bilinear(converter: Converter, node: TfliteNode) -> str:
    """RESIZE_BILINEAR."""
    if node.options["AlignCorners"]:
        mode = "align_corners"
    else:
        mode = "half_pixel" if node.options["HalfPixelCenters"] else "asymmetric"
    batch, _, _, channels = converter.shape(node)
    sizes = converter.constant("sizes", np.array([batch, channels, *np.ravel(converter.data(node, 1))], np.int64))
    return converter.on_image(
        "Resize", node, converter.operand(node), ["", "", sizes], mode="linear", coordinate_transformation_mode=mode
    )


def blocks(kind: str) -> Callable[[Converter, TfliteNode], str]:
    """SPACE_TO_DEPTH and DEPTH_TO_SPACE, whose channels have the block's place outside."""

    def convert(converter: Converter, node: TfliteNode) -> str:
        value, size = converter.operand(node), node.options["BlockSize"]
        return converter.on_image(kind, node, value, blocksize=size)

    return convert


def space_to_batch(converter: Converter, node: TfliteNode) -> tuple[str, ...]:
    """SPACE_TO_BATCH_ND before a convolution, which takes its block for a dilation."""
    block, amounts = (converter.data(node, position).astype(np.int64) for position in (1, 2))
    readers = converter.readers(node.outputs[0])
    known = all(reader.kind in ("CONV_2D", "DEPTHWISE_CONV_2D") for reader in readers)
    if block.shape != (2,) or amounts.shape != (2, 2) or not known:
        raise converter.unsupported(node, "only around a convolution of height and width: use one with dilation")
    converter.spaced[node.outputs[0]] = node.inputs[0], block, amounts
    return ()


def batch_to_space(converter: Converter, node: TfliteNode) -> str:
    """BATCH_TO_SPACE_ND: the convolution before it gave the image already."""
    return converter.operand(node)
