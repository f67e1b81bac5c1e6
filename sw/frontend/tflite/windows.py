"""Windows of TFLite operators: padding by the input's size, and borders that other operators left to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tflite
from numpy.typing import NDArray

from .records import TfliteNode

if TYPE_CHECKING:
    from .converter import Converter

__all__ = ["border_of", "same_padding", "strides_of"]


def strides_of(node: TfliteNode) -> list[int]:
    """Vertical and horizontal stride."""
    return [node.options["StrideH"], node.options["StrideW"]]


def same_padding(outputs: int, size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Padding before and behind an axis of ``size`` that gives so many ``outputs``; the larger part behind."""
    total = max(0, (outputs - 1) * stride + dilation * (kernel - 1) + 1 - size)
    return total // 2, total - total // 2


def border_of(converter: Converter, node: TfliteNode, kernel: tuple[int, int], dilation: tuple[int, int]) -> list[int]:
    """Padding at top, left, bottom, right that the operator's own option asks for."""
    same, sides, expected = node.options["Padding"] == tflite.Padding.SAME, [], []
    for size, k, stride, d in zip(converter.shape(node)[1:3], kernel, strides_of(node), dilation, strict=True):
        outputs = -(-(size if same else size - d * (k - 1)) // stride)
        expected.append(outputs)
        sides.append(same_padding(outputs, size, k, stride, d) if same else (0, 0))
    converter.check(node, expected, converter.output_shape(node)[1:3])
    (top, bottom), (left, right) = sides
    return [top, left, bottom, right]


def image_pads(amounts: NDArray[np.int64]) -> list[int] | None:
    """Padding at top, left, bottom, right of amounts by axis (4, 2); None where other axes are padded."""
    if amounts.shape != (4, 2) or amounts[[0, 3]].any() or amounts.min() < 0:
        return None
    return [int(amounts[1, 0]), int(amounts[2, 0]), int(amounts[1, 1]), int(amounts[2, 1])]
