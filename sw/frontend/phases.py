"""Phases: images whose lines and columns lie in several channels of a tensor, or some lines apart in it.

An image enlarged s times is kept as the smaller tensor it was computed on: pixel (s*Y + p, s*X + q) of channel c is
pixel (Y, X) of another channel, one for each p and q. Of a cropped image, or of every second pixel, the tensor is the
larger one. A convolution over such an image is one over the tensor, with an output channel for each phase of its own
output (sub-pixel convolution, arXiv 1609.05158); what the tensor holds where the image has padding is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..windows import Shape, Window
from .view import View

__all__ = ["Enlarged", "Pair", "Part", "Phases", "interleaved", "over_phases", "phases_of"]

Pair = tuple[int, int]

_MOST_REPEATED = 4
"""Phases of a single line that may all show the same channel."""


@dataclass(frozen=True)
class Phases:
    """An image of shape (C, h, w) in a tensor of ``source`` (channels, lines, columns).

    With f and g the last two axes of ``channels`` (C, f, g), pixel (y, x) of channel c lies in channel
    ``channels[c, y % f, x % g]`` of the tensor, in line ``steps[0] * (y // f) + lines[c, y % f]`` and column
    ``steps[1] * (x // g) + columns[c, x % g]``.
    """

    shape: Shape
    source: Shape
    channels: NDArray[np.int64]
    steps: Pair
    lines: NDArray[np.int64]
    columns: NDArray[np.int64]

    @staticmethod
    def plain(shape: Shape) -> Phases:
        """A tensor of a shape as the image that it is."""
        channels = np.arange(shape[0]).reshape(-1, 1, 1)
        zeros = np.zeros((shape[0], 1), dtype=np.int64)
        return Phases(shape, shape, channels, (1, 1), zeros, zeros)

    @property
    def factors(self) -> Pair:
        """Lines, and columns, of the image in one period."""
        return self.channels.shape[1], self.channels.shape[2]

    def is_plain(self) -> bool:
        """Whether the image is the tensor itself."""
        return self.shape == self.source and self.keeps_channels() and not (self.lines.any() or self.columns.any())

    def keeps_channels(self) -> bool:
        """Whether the image is lines and columns of the whole tensor, the same of every channel."""
        return (
            self.factors == (1, 1)
            and np.array_equal(self.channels.ravel(), np.arange(self.source[0]))
            and not (np.ptp(self.lines) or np.ptp(self.columns))
        )


def phases_of(view: View, source: Shape) -> Phases | None:
    """How a value of shape (1, C, h, w) lies in its tensor; None if not in phases."""
    if len(view.shape) != 4 or view.shape[0] != 1 or not view.index.size:
        return None
    channel, pixel = np.divmod(view.index[0], source[1] * source[2])
    line, column = np.divmod(pixel, source[2])
    if (line != line[:, :, :1]).any() or (column != column[:, :1]).any():
        return None
    vertical = _period(line[:, :, 0], channel)
    horizontal = _period(column[:, 0], channel.transpose(0, 2, 1))
    if vertical is None or horizontal is None:
        return None
    (f, down), (g, right) = vertical, horizontal
    _, count, height, width = view.shape
    shape = (count, height, width)
    return Phases(shape, source, channel[:, :f, :g], (down, right), line[:, :f, 0], column[:, 0, :g])


def _period(places: NDArray[np.int64], channel: NDArray[np.int64]) -> Pair | None:
    """Lines after which places (C, h) and channels (C, h, w) repeat, and how much farther the places are then."""
    size = places.shape[1]
    for period in range(1, size + 1):
        if (channel[:, period:] != channel[:, : -period or None][:, : size - period]).any():
            continue
        if period == size:  # one period: all phases of one line; the same pixel many times is rather copied
            repeated = (channel == channel[:, :1]).all()
            one_line = not np.ptp(places, axis=1).any() and (not repeated or period <= _MOST_REPEATED)
            return (period, 1) if period == 1 or one_line else None
        steps = places[:, period:] - places[:, :-period]
        if steps.min() == steps.max() >= 1:
            return period, int(steps.min())
    return None


def interleaved(index: NDArray[np.int64], factor: Pair) -> NDArray[np.int64]:
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
class Part:
    """Weights of a window over a tensor, dense or (C, 1, ...) if the window's were depthwise."""

    weights: NDArray[np.float64]
    window: Window


@dataclass(frozen=True)
class _Tap:
    """A tap along one axis: of output phase ``way``, it reads ``places`` (C,), relative to the output's own, in phase
    ``phase`` of the image; ``insets`` (C, 2) are outputs at both ends that must not read it."""

    way: int
    tap: int
    phase: int
    places: NDArray[np.int64]
    insets: NDArray[np.int64]


@dataclass(frozen=True)
class _Axis:
    """A window along one axis of the tensor: ``count`` outputs of each of ``ways`` phases, ``stride`` lines apart."""

    ways: int
    stride: int
    count: int
    taps: tuple[_Tap, ...]

    @staticmethod
    def of(window: Window, axis: int, image: Phases) -> _Axis:
        """Of a window over an image."""
        size, source = image.shape[1 + axis], image.source[1 + axis]
        outputs = window.output(*image.shape[1:])[axis]
        factor, step, places = image.factors[axis], image.steps[axis], (image.lines, image.columns)[axis]
        stride, pad, dilation = window.stride[axis], window.pads[axis], window.dilation[axis]
        ways = factor // math.gcd(factor, stride)
        inner, count = step * stride * ways // factor, -(-outputs // ways)
        at = np.arange(count)
        taps = []
        for way in range(ways):
            out = at * ways + way
            wanted = out < outputs
            within = (out >= window.inset[axis]) & (out < outputs - window.inset[axis + 2])
            for tap in range(window.kernel[axis]):
                first = way * stride - pad + tap * dilation
                lines = at * ways * stride + first
                seen = (lines >= 0) & (lines < size) & wanted & within
                if not seen.any():
                    continue
                period, phase = divmod(first, factor)
                own = step * period + places[:, phase]
                found = own[:, np.newaxis] + at * inner
                beyond = (found >= 0) & (found < source) & ~seen & wanted
                begin, end = np.flatnonzero(seen)[[0, -1]]
                insets = np.stack(
                    [beyond[:, :begin].any(axis=1) * begin, beyond[:, end + 1 :].any(axis=1) * (count - 1 - end)],
                    axis=1,
                )
                taps.append(_Tap(way, tap, phase, own, insets))
        return _Axis(ways, inner, count, tuple(taps))

    def pads(self, first: int, kernel: int, size: int) -> Pair:
        """Padding before and behind ``size`` lines for a kernel whose first line is at ``first``."""
        return -first, (self.count - 1) * self.stride + first + kernel - size


def over_phases(weights: NDArray[np.float64], window: Window, image: Phases) -> tuple[list[Part], Pair]:
    """Weights and window over an image, as parts of a sum over its tensor.

    Parameters
    ----------
    weights : array, shape (O, C, kH, kW), or (C, 1, kH, kW) of a depthwise window if the image keeps channels

    Returns
    -------
    parts : list of Part
        With output channels (O * f * g), phases of the output innermost.
    (f, g) : (int, int)
        Phases of the output's lines and columns.
    """
    axes = _Axis.of(window, 0, image), _Axis.of(window, 1, image)
    depthwise = weights.shape[1] != image.shape[0]
    inputs = 1 if depthwise else image.source[0]
    firsts = [min((int(tap.places.min()) for tap in axis.taps), default=0) for axis in axes]
    sizes = [
        max((int(tap.places.max()) for tap in axis.taps), default=0) - first + 1
        for axis, first in zip(axes, firsts, strict=True)
    ]
    ways = (axes[0].ways, axes[1].ways)
    sums: dict[tuple[int, ...], NDArray[np.float64]] = {}
    for down in axes[0].taps:
        for right in axes[1].taps:
            for inset, channels in _alike(down, right):
                total = sums.setdefault(inset, np.zeros((len(weights), *ways, inputs, *sizes)))
                own = total[:, down.way, right.way]
                y, x = down.places[channels[0]] - firsts[0], right.places[channels[0]] - firsts[1]
                if depthwise:
                    own[:, 0, y, x] += weights[:, 0, down.tap, right.tap]
                    continue
                read = image.channels[channels, down.phase, right.phase]
                np.add.at(own[:, :, y, x].T, read, weights[:, channels, down.tap, right.tap].T)
    parts = [_part(total, inset, axes, firsts, image.source) for inset, total in sums.items() if total.any()]
    if not parts:
        parts = [_part(np.zeros((len(weights), *ways, inputs, 1, 1)), (0, 0, 0, 0), axes, [0, 0], image.source)]
    return parts, ways


def _part(
    total: NDArray[np.float64],
    inset: tuple[int, ...],
    axes: tuple[_Axis, _Axis],
    firsts: list[int],
    source: Shape,
) -> Part:
    """Weights (O, f, g, C, kH, kW) of lines and columns from ``firsts`` on, without those that are 0 at the edges."""
    dense = total.reshape(-1, *total.shape[3:])
    stride, kernel, before, behind = [], [], [], []
    for axis in range(2):
        used = np.flatnonzero(dense.any(axis=(0, 1, 3 - axis)))
        low, high = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
        dense = dense.take(np.arange(low, high), axis=2 + axis)
        stride.append(axes[axis].stride)
        kernel.append(high - low)
        pads = axes[axis].pads(firsts[axis] + low, high - low, source[1 + axis])
        before.append(pads[0])
        behind.append(pads[1])
    window = Window(
        kernel=(kernel[0], kernel[1]),
        stride=(stride[0], stride[1]),
        pads=(before[0], before[1], behind[0], behind[1]),
        inset=(inset[0], inset[1], inset[2], inset[3]),
    )
    return Part(dense, window)


def _alike(down: _Tap, right: _Tap) -> Iterator[tuple[tuple[int, ...], NDArray[np.int64]]]:
    """Insets (top, left, bottom, right) of channels that read the same place, and the channels."""
    kinds = np.column_stack([down.insets[:, 0], right.insets[:, 0], down.insets[:, 1], right.insets[:, 1]])
    places = np.column_stack([kinds, down.places, right.places])
    unique, which = np.unique(places, axis=0, return_inverse=True)
    for number, row in enumerate(unique.tolist()):
        yield tuple(row[:4]), np.flatnonzero(which.ravel() == number)
