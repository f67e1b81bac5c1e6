"""Tap packing: windows of an input of few channels, stored as the channels of a pixel, so that words are full."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.layout import TensorLayout, Unfold
from ..quantised import QuantisedTensor, Segment

__all__ = ["unfolded_layouts", "unfolded_weights"]


def unfolded_layouts(
    segment: Segment, tensor: QuantisedTensor, size: tuple[int, int], config: AcceleratorConfig
) -> list[TensorLayout]:
    """Layouts in which a segment finds several of its taps in a word; none if its source's channels fill the lanes.

    A pixel holds the whole width of the kernel, and 1 line of it up to all: fewer lines take fewer words of memory,
    more fill the last word of a window better. Padding is stored.

    Parameters
    ----------
    segment : Segment
        The only reader of the tensor; dense.
    tensor : QuantisedTensor
    size : (int, int)
        Output lines and pixels in a line.
    config : AcceleratorConfig
    """
    channels, height, width = tensor.shape
    lines, columns = segment.weights.shape[2:]
    if lines * columns == 1 or channels >= config.lanes or any(segment.inset):
        return []
    layouts = []
    for taps in sorted({-(-lines // held) for held in range(1, lines + 1)}):
        held = -(-lines // taps)
        step = segment.stride[0] if taps == 1 else 1
        unfold = Unfold(
            channels=channels,
            height=height,
            width=width,
            kernel=(held, columns),
            stride=(step, segment.stride[1]),
            pad=segment.pads[:2],
            dilation=segment.dilation,
            fill=tensor.zero,
        )
        reach = (taps - 1) * held * segment.dilation[0]
        layouts.append(
            TensorLayout(
                channels=held * columns * channels,
                height=size[0] if taps == 1 else (size[0] - 1) * segment.stride[0] + reach + 1,
                width=size[1],
                lanes=config.lanes,
                planes=config.digits.count(tensor.levels),
                phases=(1 if taps == 1 else segment.stride[0], 1),
                unfold=unfold,
            )
        )
    return layouts


def unfolded_weights(codes: NDArray[np.uint8], unfold: Unfold) -> NDArray[np.uint8]:
    """Codes (O, I, kH, kW) of a segment as codes (O, channels, taps) on windows; those beyond the kernel are 0."""
    outputs, channels, lines, columns = codes.shape
    held = unfold.kernel[0]
    taps = -(-lines // held)
    padded = np.zeros((outputs, taps * held, columns, channels), dtype=np.uint8)
    padded[:, :lines] = codes.transpose(0, 2, 3, 1)
    return padded.reshape(outputs, taps, -1).transpose(0, 2, 1)
