"""Geometry of a sliding window on a laid-out tensor: taps, borders, and how pixel groups walk over it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import BORDER_MAX
from ...hw.spec.layout import TensorLayout
from ..enlarging import Factors
from ..errors import CapacityError
from ..integer.reader import Reader

__all__ = [
    "POINT",
    "BorderError",
    "Tap",
    "Walk",
    "Window",
    "band_layout",
    "choose_walk",
    "drained_rows",
    "drains_apart",
]


class BorderError(CapacityError):
    """A tap that is outside its tensor for more border pixels than the machine can count."""


class Tap(NamedTuple):
    """One tap record: the fields of `isa.TAP`."""

    offset: int
    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @property
    def always_valid(self) -> bool:
        """Whether no output pixel finds the tap outside its tensor."""
        return not any(self[1:])


@dataclass(frozen=True)
class Window:
    """A kernel sliding over a tensor; every pair is (vertical, horizontal), ``pad`` is at the top and at the left.

    ``inset`` are output pixels at top, left, bottom and right that find all taps in padding.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    dilation: tuple[int, int]
    inset: tuple[int, int, int, int] = (0, 0, 0, 0)

    @classmethod
    def of(cls, reader: Reader) -> Window:
        """Window by which a layer reads a tensor."""
        return cls(reader.kernel, reader.stride, (reader.pads[0], reader.pads[1]), reader.dilation, reader.inset)

    @classmethod
    def on(cls, reader: Reader, layout: TensorLayout) -> Window:
        """Window in the pixels that a layout stores: what is left of the kernel where those are windows themselves."""
        window = cls.of(reader)
        if layout.unfold is None:
            return window
        held = layout.unfold.kernel[0]
        taps = -(-window.kernel[0] // held)
        stride = 1 if taps == 1 else window.stride[0]
        return cls((taps, 1), (stride, 1), (0, 0), (held * window.dilation[0], 1))

    def steps(self, layout: TensorLayout) -> tuple[int | None, int | None]:
        """Words from one output line, and from one output pixel, to the next; None where that is not constant."""
        phase_y, phase_x = layout.phases
        stride_y, stride_x = self.stride
        line = None if stride_y % phase_y else stride_y // phase_y * layout.line
        pixel = None if stride_x % phase_x else stride_x // phase_x
        pitch = layout.pixel_pitch
        return line if line is None else line * pitch, pixel if pixel is None else pixel * pitch

    def taps(
        self,
        layout: TensorLayout,
        out_size: tuple[int, int],
        *,
        plane: int = 0,
        used: NDArray[np.bool_] | slice = slice(None),
    ) -> tuple[Tap, ...]:
        """Taps in kernel order, each relative to the tensor's base.

        Parameters
        ----------
        layout : TensorLayout
            The tensor read.
        out_size : (int, int)
            Output lines and pixels in a line.
        plane : int
            Digit plane read.
        used : array of bool, shape (kH * kW,), or slice
            Which taps to give.

        Raises
        ------
        BorderError
            If a border number exceeds `isa.BORDER_MAX`.
        """
        taps = []
        for kernel_y, kernel_x in np.indices(self.kernel).reshape(2, -1).T[used].tolist():
            y, x = (k * d - pad for k, d, pad in zip((kernel_y, kernel_x), self.dilation, self.pad, strict=True))
            top, bottom = self._border(0, layout.height, out_size[0], y)
            left, right = self._border(1, layout.width, out_size[1], x)
            taps.append(Tap(int(layout.spatial(y, x)) + plane * layout.plane_pitch, top, bottom, left, right))
        return tuple(taps)

    def _border(self, axis: int, size: int, out_size: int, offset: int) -> tuple[int, int]:
        """Border numbers of a tap: output pixels at both ends for which it lies in padding."""
        low, high = _border(size, out_size, self.stride[axis], offset)
        return max(low, _counted(self.inset[axis])), max(high, _counted(self.inset[axis + 2]))

    def hits(self, layout: TensorLayout, out_size: tuple[int, int]) -> tuple[bool, ...]:
        """For each tap in kernel order: whether any output pixel finds it inside its tensor."""
        inside = []
        for axis, (size, out) in enumerate(zip((layout.height, layout.width), out_size, strict=True)):
            offsets = [k * self.dilation[axis] - self.pad[axis] for k in range(self.kernel[axis])]
            inside.append([any(0 <= o * self.stride[axis] + offset < size for o in range(out)) for offset in offsets])
        return tuple(y and x for y in inside[0] for x in inside[1])


POINT = Window((1, 1), (1, 1), (0, 0), (1, 1))
"""Of a tensor read pixel by pixel."""


def _border(size: int, out_size: int, stride: int, offset: int) -> tuple[int, int]:
    """First and (from the end) last output coordinate o for which ``0 <= o*stride + offset < size``."""
    low = max(0, -(offset // stride))
    high = max(0, out_size - 1 - (size - 1 - offset) // stride)
    if low + high >= out_size:
        # Inside for no output pixel at all: any two numbers that exclude each other say so.
        low = min(out_size, BORDER_MAX)
        high = out_size - low
    return _counted(low), _counted(high)


def _counted(pixels: int) -> int:
    """A border number, if the machine can count so far."""
    if pixels > BORDER_MAX:
        raise BorderError(
            f"a kernel tap lies outside its tensor for {pixels} border pixels, "
            f"the machine counts to {BORDER_MAX}: use less padding or dilation"
        )
    return pixels


@dataclass(frozen=True)
class Walk:
    """How pixel groups cover an output: the fields ``rows``, ``wrap``, ``origin_step``, ``origin_line``."""

    rows: int
    wrap: int
    origin_step: int
    origin_line: int
    groups: int


def choose_walk(steps: Sequence[tuple[int | None, int | None]], out_size: tuple[int, int], rows: int) -> Walk | None:
    """Walk with the fewest pixel groups that the sources' steps allow; None if no walk suits them all.

    Parameters
    ----------
    steps : sequence of (line step, pixel step)
        Of each source, from :meth:`Window.steps`.
    out_size : (int, int)
        Output lines and pixels in a line.
    rows : int
        Most pixels in a group.
    """
    height, width = out_size
    # A step that is never taken may have any value; 0 lines or pixels apart, None is one more value.
    lines = {line for line, _ in steps} if height > 1 else {0}
    pixels = {pixel for _, pixel in steps} if width > 1 else {1}
    if len(lines) > 1 or len(pixels) > 1:
        return None
    line, pixel = lines.pop(), pixels.pop()
    if line is None or pixel is None:
        return None
    if pixel == 1 and (height == 1 or line == width):
        rows = min(rows, height * width)
        return Walk(rows, 1, rows, 0, -(-height * width // rows))
    if pixel == 1:
        rows = min(rows, width)
        in_line = -(-width // rows)
        return Walk(rows, 0, rows, line - (in_line - 1) * rows, height * in_line)
    return Walk(1, 0, pixel, line - (width - 1) * pixel, height * width)


@functools.lru_cache(maxsize=1024)
def drained_rows(layout: TensorLayout, factors: Factors, config: AcceleratorConfig) -> int:
    """Most pixels in a group of a layer that writes a tensor of this layout: all rows of the array, or so few that
    those that are drained side by side lie in different banks.

    Of a layer that does not enlarge, layouts are chosen so that it can have all.
    """
    rows = config.rows
    if factors == (1, 1) or config.drain_rows == 1:
        return rows
    offsets = list(np.ndindex(factors))
    while rows > 1 and not all(drains_apart(layout, config, (factors, at, rows)) for at in offsets):
        rows -= 1
    return rows


def drains_apart(
    layout: TensorLayout, config: AcceleratorConfig, phase: tuple[Factors, tuple[int, ...], int] | None = None
) -> bool:
    """Whether pixels of a tensor of this layout that a core drains side by side lie in different banks.

    Of a ``phase`` of an enlarging layer: its factors, its first pixel and the pixels in a group.
    """
    (down, right), (top, left), rows = phase or ((1, 1), (0, 0), config.rows)
    side_by_side, banks, width = min(config.drain_rows, rows), config.banks, layout.width // right
    y, x = np.indices((layout.height // down, width)).reshape(2, -1)
    places, pixel = layout.spatial(down * y + top, right * x + left), np.arange(len(x))
    # groups of pixels begin at the first of all or of a line, and hold whole sets of rows; bands at any line
    aligned = rows % side_by_side == 0 and not (config.has_backing and width % side_by_side)
    for distance in range(1, side_by_side):
        in_set = (pixel % side_by_side >= distance) | (x % side_by_side >= distance)
        together = in_set if aligned else pixel >= distance
        steps = places[distance:] - places[:-distance]
        if (steps[together[distance:]] % banks == 0).any():
            return False
    return True


def band_layout(layout: TensorLayout, lines: int, config: AcceleratorConfig) -> TensorLayout:
    """Of a buffer for so many lines of a tensor; where rows drain side by side, they do so there as well as in it."""
    band = replace(layout, height=lines)
    if config.drain_rows == 1:
        return band
    return replace(band, gap=band.gap + (layout.phase_pitch - band.phase_pitch) % config.banks)
