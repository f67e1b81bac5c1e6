"""Phases: images whose lines and columns lie in several channels of a smaller tensor, and windows that slide over them.

An image enlarged s times is kept as the smaller tensor it was computed on: pixel (s*Y + p, s*X + q) of channel c is
pixel (Y, X) of channel ``channels[c, p, q]``. A convolution over such an image is one over the tensor, with an output
channel for each phase of its own output (sub-pixel convolution, arXiv 1609.05158). With s = 1 this is a choice of
channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..graph import Shape, Window
from .view import View

__all__ = ["Enlarged", "Phases", "interleaved", "over_phases", "phases_of"]


@dataclass(frozen=True)
class Phases:
    """An image of shape (C, H, W) in a tensor of ``source`` (channels, lines, columns); ``channels`` is (C, s, s)."""

    shape: Shape
    source: Shape
    channels: NDArray[np.int64]

    @property
    def factor(self) -> int:
        """Lines and columns of the image for one of the tensor."""
        return self.channels.shape[1]

    def is_plain(self) -> bool:
        """Whether the image is the tensor itself."""
        return self.shape == self.source and np.array_equal(self.channels.ravel(), np.arange(self.shape[0]))


def phases_of(view: View, source: Shape) -> Phases | None:
    """How a value of shape (1, C, H, W) lies in its tensor; None if not in phases."""
    if len(view.shape) != 4 or view.shape[0] != 1:
        return None
    _, count, height, width = view.shape
    factor = height // source[1]
    if factor < 1 or (height, width) != (factor * source[1], factor * source[2]):
        return None
    channel, pixel = np.divmod(view.index[0], source[1] * source[2])
    expected = np.arange(source[1] * source[2]).reshape(source[1:]).repeat(factor, axis=0).repeat(factor, axis=1)
    channels = channel[:, :factor, :factor]
    tiled = np.tile(channels, (1, *source[1:]))
    if (pixel != expected).any() or (channel != tiled).any():
        return None
    return Phases((count, height, width), source, channels)


def interleaved(index: NDArray[np.int64], factor: tuple[int, int]) -> NDArray[np.int64]:
    """View index (1, C, H, W) of an image enlarged by channels: from (1, C*f*g, H/f, W/g), phases innermost."""
    _, channels, height, width = index.shape
    split = index.reshape(channels // (factor[0] * factor[1]), *factor, height, width)
    return split.transpose(0, 3, 1, 4, 2).reshape(1, -1, height * factor[0], width * factor[1])


@dataclass(frozen=True)
class Enlarged:
    """A transposed convolution along one axis, as a convolution with an output channel for each of ``stride`` phases.

    ``taps`` are (phase, tap, place in the new kernel of ``size`` lines); ``before`` and ``behind`` are its padding. Of
    the phases together the first ``outputs`` lines are meant.
    """

    stride: int
    taps: tuple[tuple[int, int, int], ...]
    size: int
    before: int
    behind: int
    outputs: int

    @staticmethod
    def of(size: int, *, kernel: int, stride: int, dilation: int, pads: tuple[int, int], extra: int) -> Enlarged:
        """For ``size`` lines; output line ``stride * i - pads[0] + dilation * j`` gets tap j of input line i."""
        outputs = stride * (size - 1) + dilation * (kernel - 1) + 1 + extra - sum(pads)
        places = [(v, j, *divmod(v + pads[0] - dilation * j, stride)) for v in range(stride) for j in range(kernel)]
        lines = [(v, j, line) for v, j, line, rest in places if not rest]
        first, last = min(0, *(line for _, _, line in lines)), max(0, *(line for _, _, line in lines))
        taps = tuple((v, j, line - first) for v, j, line in lines)
        behind = max(0, -(-outputs // stride) + last - size)
        return Enlarged(stride, taps, last - first + 1, -first, behind, outputs)


@dataclass(frozen=True)
class _Axis:
    """A window along one axis in terms of the tensor: outputs come in ``ways`` phases, ``stride`` lines apart.

    ``taps`` are (phase of the output, tap, line relative to the output's own, phase of the input).
    """

    ways: int
    stride: int
    taps: tuple[tuple[int, int, int, int], ...]

    @staticmethod
    def of(kernel: int, stride: int, pad: int, dilation: int, factor: int) -> _Axis:
        """Of a window over an image enlarged by ``factor``."""
        ways = factor // math.gcd(factor, stride)
        places = [(v, j, *divmod(v * stride - pad + j * dilation, factor)) for v in range(ways) for j in range(kernel)]
        return _Axis(ways, stride * ways // factor, tuple(places))

    @property
    def first(self) -> int:
        """Lowest line read, relative to the output's own; at most 0."""
        return min(0, *(line for _, _, line, _ in self.taps))

    @property
    def size(self) -> int:
        """Lines from the lowest to the highest read."""
        return max(0, *(line for _, _, line, _ in self.taps)) - self.first + 1

    def pads(self, size: int, outputs: int) -> tuple[int, int]:
        """Padding before and behind ``size`` lines for at least so many outputs of all phases together."""
        last = (-(-outputs // self.ways) - 1) * self.stride + self.size - 1
        return -self.first, max(0, last + self.first - (size - 1))


def over_phases(
    weights: NDArray[np.float64], window: Window, image: Phases
) -> tuple[NDArray[np.float64], Window, tuple[int, int]]:
    """Dense weights (O, C, kH, kW) and window over an image, as weights and window over its tensor.

    Returns
    -------
    weights : array, shape (O * f * g, channels of the tensor, ...)
        Phases of the output innermost.
    window : Window
    (f, g) : (int, int)
        Phases of the output's lines and columns.
    """
    size = window.output(*image.shape[1:])
    vertical, horizontal = (
        _Axis.of(kernel, stride, pad, dilation, image.factor)
        for kernel, stride, pad, dilation in zip(
            window.kernel, window.stride, window.pads[:2], window.dilation, strict=True
        )
    )
    ways = (vertical.ways, horizontal.ways)
    result = np.zeros((len(weights), *ways, image.source[0], vertical.size, horizontal.size))
    for v, j, line, phase_y in vertical.taps:
        for h, i, column, phase_x in horizontal.taps:
            spread = np.zeros((image.shape[0], image.source[0]))
            spread[np.arange(image.shape[0]), image.channels[:, phase_y, phase_x]] = 1.0
            result[:, v, h, :, line - vertical.first, column - horizontal.first] += weights[:, :, j, i] @ spread
    top, bottom = vertical.pads(image.source[1], size[0])
    left, right = horizontal.pads(image.source[2], size[1])
    inner = Window(
        kernel=(vertical.size, horizontal.size),
        stride=(vertical.stride, horizontal.stride),
        pads=(top, left, bottom, right),
    )
    return result.reshape(-1, *result.shape[3:]), inner, ways
