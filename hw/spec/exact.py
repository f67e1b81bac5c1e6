"""Multiply-accumulate layers in floating point that loses nothing: matrix products whose every sum fits the mantissa.

All that is added up are whole multiples of one step, and no partial sum, in whatever order, is more steps than the
largest levels of the sources' spans give with all weights taken positive. Below 2**24 of them float32 is exact, below
2**53 float64. Where a rescaler's product still fits, it is a part of the weights, so that the matrix product gives what
is rounded. `semantics` says what is computed; tensors have their channels first here, (C, N, H, W), and hold levels as
float32.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .formats import Format, Int
from .semantics import SegmentLike, nearest_table, output_size, rescale
from .tables import look_up

__all__ = ["Drain", "ExactLayer", "ExactSource", "exact_sums", "float_sums", "largest_sums"]

_CHUNK_VALUES = 1 << 20
"""Values of one unfolded source: what a core's cache holds."""

_BLOCK_VALUES = 1 << 15
"""Values of a depthwise segment that all taps are added to before the next channels: what a near cache holds."""

_Float = type[np.float32] | type[np.float64]
_Finish = Callable[[NDArray[np.floating]], NDArray[np.floating]]

_FLOAT32_EXACT, _FLOAT64_EXACT = 1 << 24, 1 << 53


@dataclass(frozen=True)
class ExactSource:
    """What is known of a segment's source: the span (lo, hi) of its levels, and its zero level within that."""

    span: tuple[int, int]
    zero: int

    @property
    def largest(self) -> int:
        """Largest magnitude of a level, at least 1."""
        return max(-self.span[0], self.span[1], 1)


def largest_sums(segments: Sequence[SegmentLike], sources: Sequence[ExactSource]) -> NDArray[np.float64]:
    """What no partial sum of a channel passes, of shape (O,), and no weight."""
    return np.sum(
        [
            np.abs(np.asarray(segment.weights, dtype=np.float64)).sum(axis=(1, 2, 3)) * source.largest
            for segment, source in zip(segments, sources, strict=True)
        ],
        axis=0,
    )


def _exact_type(largest: float) -> _Float | None:
    """Narrowest type that holds so many steps; None if there is none."""
    return np.float32 if largest < _FLOAT32_EXACT else np.float64 if largest < _FLOAT64_EXACT else None


def exact_sums(
    segments: Sequence[SegmentLike], sources: Sequence[ExactSource], tensors: Sequence[NDArray]
) -> NDArray[np.floating]:
    """Sums of all segments, as `semantics.accumulate` gives them.

    Parameters
    ----------
    segments : sequence of SegmentLike
    sources : sequence of ExactSource
        Of each segment.
    tensors : sequence of arrays of int or float, shape (C, N, H, W)
        Levels of each segment's source within its span.

    Returns
    -------
    array of float32 or float64, shape (O, N, OH, OW)

    Raises
    ------
    ValueError
        If a sum could pass 2**53.
    """
    products = _Products(segments, sources, np.ones(len(segments[0].weights)), _sums_type(segments, sources))
    return products.run(tensors, lambda sums: sums, products.dtype)


def float_sums(segment: SegmentLike, tensor: NDArray[np.floating]) -> NDArray[np.floating]:
    """Sums (O, N, OH, OW) of a segment of real weights on a tensor (C, N, H, W), rounded as its type is.

    Padding reads as 0.
    """
    dtype = np.float32 if tensor.dtype == np.float32 else np.float64
    products = _Products([segment], [ExactSource((0, 0), 0)], np.ones(len(segment.weights)), dtype)
    return products.run([tensor], lambda sums: sums, dtype)


def _sums_type(segments: Sequence[SegmentLike], sources: Sequence[ExactSource]) -> _Float:
    largest = float(largest_sums(segments, sources).max(initial=0))
    if (dtype := _exact_type(largest)) is None:
        raise ValueError(f"sums up to {largest:.0f} cannot be computed exactly")
    return dtype


class Drain:
    """From final sums to levels, as `semantics.rescale` gives them, and what a table of levels makes of that.

    Parameters
    ----------
    largest : array of float, shape (O,)
        What no final sum passes.
    bias, multiplicand, shift : arrays of int, shape (O,)
    zero, low, high : int
        Zero level and clamp of the integers that sums become.
    fmt : Format
        Theirs.
    table : array of int, shape (255,), optional
        Levels that stand for them, if they are looked up (`hw/spec/tables.py`); ``fmt`` does not count then.
    """

    def __init__(
        self,
        largest: NDArray[np.float64],
        bias: ArrayLike,
        multiplicand: ArrayLike,
        shift: ArrayLike,
        *,
        zero: int,
        fmt: Format,
        low: int,
        high: int,
        table: ArrayLike | None = None,
    ) -> None:
        self._fmt = Int(8) if table is not None else fmt
        self._parameters, self._clamp = (bias, multiplicand, shift), {"zero": zero, "low": low, "high": high}
        first, nearest = nearest_table(self._fmt, low, high)
        self._table = nearest.astype(np.float32)
        self._levels = table
        if table is not None:
            self._table = look_up(np.asarray(table), nearest).astype(np.float32)
        # Halves of a level, (sum + bias) * m / 2**(s - 1), counted from the first that the table holds.
        bias, multiplicand, shift = (np.asarray(values, dtype=np.float64) for values in (bias, multiplicand, shift))
        factor, down = np.where(shift == 0, 2 * multiplicand, multiplicand), np.maximum(shift - 1, 0).astype(int)
        start = 2 * zero - first
        self.scale = np.ldexp(factor, -down)
        self._offset = np.ldexp(bias * factor, -down) + start
        steps = (largest + np.abs(bias)) * factor + np.ldexp(float(abs(start)), down)
        self.dtype = _exact_type(float(steps.max(initial=0)))
        """Type in which ``sums * scale`` and their halves are exact; None if there is none."""

    def __call__(self, sums: NDArray[np.floating]) -> NDArray[np.float32]:
        """Levels of sums of shape (O, ...)."""
        if self.dtype is None:
            levels = rescale(sums.astype(np.int64)[np.newaxis], *self._parameters, fmt=self._fmt, **self._clamp)[0]
            return (levels if self._levels is None else look_up(np.asarray(self._levels), levels)).astype(np.float32)
        return self.finish(sums.astype(self.dtype) * _by_channel(self.scale, sums.ndim, self.dtype))

    def finish(self, scaled: NDArray[np.floating]) -> NDArray[np.float32]:
        """Levels of ``sums * scale``, which are overwritten."""
        scaled += _by_channel(self._offset, scaled.ndim, scaled.dtype.type)
        np.clip(scaled, 0, len(self._table) - 1, out=scaled)
        return self._table.take(scaled.astype(np.intp))


class ExactLayer:
    """A layer, planned once, for any number of batches.

    Parameters
    ----------
    segments : sequence of SegmentLike
    sources : sequence of ExactSource
        Of each segment.
    drain : Drain
        Made for `largest_sums` of these.

    Raises
    ------
    ValueError
        If a sum could pass 2**53.
    """

    def __init__(self, segments: Sequence[SegmentLike], sources: Sequence[ExactSource], drain: Drain) -> None:
        dtype = _sums_type(segments, sources)
        # One pass less where the products of the rescaler are exact in the type of the sums.
        folded = drain.dtype == dtype
        self._finish = drain.finish if folded else drain
        self._products = _Products(segments, sources, drain.scale if folded else np.ones_like(drain.scale), dtype)

    def run(self, tensors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Levels of shape (O, N, OH, OW), from those of each segment's source, of shape (C, N, H, W)."""
        return self._products.run(tensors, self._finish, np.float32)


class _Products:
    """Sums of all segments times a factor for each channel, chunk by chunk."""

    def __init__(
        self,
        segments: Sequence[SegmentLike],
        sources: Sequence[ExactSource],
        factor: NDArray[np.float64],
        dtype: _Float,
    ) -> None:
        self.dtype = dtype
        self._parts = [_Part(*pair, factor, dtype) for pair in zip(segments, sources, strict=True)]

    def run(self, tensors: Sequence[NDArray], finish: _Finish, dtype: _Float) -> NDArray:
        """What ``finish`` makes of the sums of each chunk, together: of shape (O, N, OH, OW)."""
        sizes = {part.output_size(x) for part, x in zip(self._parts, tensors, strict=True)}
        if len(sizes) != 1:
            raise ValueError(f"the segments give outputs of different sizes: {sorted(sizes)}")
        height, width = sizes.pop()
        samples = tensors[0].shape[1]
        result = np.empty((self._parts[0].outputs, samples, height, width), dtype)
        values = max(part.values(width) for part in self._parts)
        for at, lines in _chunks(samples, height, max(1, _CHUNK_VALUES // max(1, values))):
            sums = self._parts[0].sums(tensors[0], at, lines)
            for part, x in zip(self._parts[1:], tensors[1:], strict=True):
                sums += part.sums(x, at, lines)
            result[:, at, lines] = finish(sums)
        return result


def _chunks(samples: int, height: int, most: int) -> Iterator[tuple[slice, slice]]:
    """Samples and output lines, at most ``most`` lines at once where there is no other way."""
    count = most // max(1, height)
    if count:
        yield from ((slice(n, min(n + count, samples)), slice(0, height)) for n in range(0, samples, count))
        return
    for n in range(samples):
        yield from ((slice(n, n + 1), slice(y, min(y + most, height))) for y in range(0, height, most))


class _Part:
    """One segment with its weights times the channels' factors."""

    def __init__(self, segment: SegmentLike, source: ExactSource, factor: NDArray[np.float64], dtype: _Float) -> None:
        self._segment, self._zero, self._dtype = segment, source.zero, dtype
        weights = np.asarray(segment.weights, dtype=np.float64) * factor[:, np.newaxis, np.newaxis, np.newaxis]
        self._channels = len(weights) if segment.depthwise else weights.shape[1]
        self._kernel = weights.shape[2:]
        self._idle = (source.zero * weights.sum(axis=(1, 2, 3))).astype(dtype)
        order = weights[:, 0] if segment.depthwise else weights.transpose(0, 2, 3, 1).reshape(len(weights), -1)
        self._weights = np.ascontiguousarray(order, dtype=dtype)
        self.outputs = len(weights)

    def output_size(self, x: NDArray) -> tuple[int, int]:
        """Lines and columns of the output for a source."""
        if x.shape[0] != self._channels:
            raise ValueError(f"the segment's weights are for {self._channels} channels, its source has {x.shape[0]}")
        segment, (top, left, bottom, right) = self._segment, self._segment.pads
        padding = top + bottom, left + right
        height, width = (
            output_size(
                x.shape[2 + axis], self._kernel[axis], segment.stride[axis], padding[axis], segment.dilation[axis]
            )
            for axis in (0, 1)
        )
        return height, width

    def values(self, width: int) -> int:
        """Values that a line of outputs takes while it is computed."""
        return width * max(self.outputs, self._channels * (1 if self._segment.depthwise else math.prod(self._kernel)))

    def sums(self, x: NDArray, samples: slice, lines: slice) -> NDArray[np.floating]:
        """Sums of shape (O, n, lines, OW) of some samples and output lines."""
        height, width = self.output_size(x)
        x = x[:, samples]
        size = x.shape[1], lines.stop - lines.start, width
        if self._segment.depthwise:
            sums = self._by_channel(x, lines, size)
        else:
            sums = (self._weights @ self._unfolded(x, lines, size)).reshape(self.outputs, *size)
        if any(self._segment.inset):
            above, before, below, behind = self._segment.inset
            row, column = np.arange(lines.start, lines.stop), np.arange(width)
            inside = np.outer((row >= above) & (row < height - below), (column >= before) & (column < width - behind))
            sums[..., ~inside] = self._idle[:, np.newaxis, np.newaxis]
        return sums

    def _unfolded(self, x: NDArray, lines: slice, size: tuple[int, int, int]) -> NDArray[np.floating]:
        """Windows side by side, of shape (taps * C, n * lines * OW)."""
        segment, positions = self._segment, math.prod(size)
        if self._kernel == (1, 1) and segment.stride == (1, 1) and not any(segment.pads):
            return x[:, :, lines].reshape(len(x), positions).astype(self._dtype, copy=False)
        columns = np.empty((*self._kernel, len(x), *size), dtype=self._dtype)
        for at, read, written in self._taps(x, lines, size):
            if columns[at][written].size != columns[at].size:
                columns[at].fill(self._zero)
            columns[at][written] = x[read]
        return columns.reshape(-1, positions)

    def _by_channel(self, x: NDArray, lines: slice, size: tuple[int, int, int]) -> NDArray[np.floating]:
        """Sums of a depthwise segment, tap by tap; of so many channels at once that they stay in a core's cache.

        A tap reads every stride-th place of the padded source. Such places lie side by side in a plane of their own,
        so that a tap is the whole of one from some place on, in one piece however narrow the lines are.
        """
        segment, (samples, height, width) = self._segment, size
        down, across = (
            [divmod(tap * segment.dilation[axis], segment.stride[axis]) for tap in range(self._kernel[axis])]
            for axis in (0, 1)
        )
        extent = samples, height + down[-1][0], width + across[-1][0]
        begins = (lines.start * segment.stride[0] - segment.pads[0], -segment.pads[1])
        parts = {
            (row, column): [
                _overlap(x.shape[2 + axis], extent[1 + axis], begins[axis] + at, segment.stride[axis])
                for axis, at in enumerate((row, column))
            ]
            for (_, row), (_, column) in itertools.product(down, across)
        }
        total = math.prod(extent)
        inside = total - down[-1][0] * extent[2] - across[-1][0]
        step = max(1, _BLOCK_VALUES // max(1, total))
        sums = np.empty((len(x), *size), dtype=self._dtype)
        for first in range(0, len(x), step):
            part, weights = x[first : first + step], self._weights[first : first + step]
            planes = {}
            for at, ((above, rows), (before, columns)) in parts.items():
                plane = np.full((len(part), *extent), self._zero, dtype=self._dtype)
                plane[:, :, rows, columns] = part[:, :, above, before]
                planes[at] = plane.reshape(len(part), total)
            own = np.zeros((len(part), total), dtype=self._dtype)
            product = np.empty((len(part), inside), dtype=self._dtype)
            for (y, (lower, row)), (tap, (further, column)) in itertools.product(enumerate(down), enumerate(across)):
                begin = lower * extent[2] + further
                np.multiply(planes[row, column][:, begin : begin + inside], weights[:, y, tap, np.newaxis], out=product)
                own[:, :inside] += product
            sums[first : first + step] = own.reshape(len(part), *extent)[:, :, :height, :width]
        return sums

    def _taps(
        self, x: NDArray, lines: slice, size: tuple[int, int, int]
    ) -> Iterator[tuple[tuple[int, int], tuple[slice, ...], tuple[slice, ...]]]:
        """Each tap with the part of the source that it reads, and the part of the output that finds it there."""
        segment = self._segment
        for y in range(self._kernel[0]):
            first = y * segment.dilation[0] - segment.pads[0] + lines.start * segment.stride[0]
            down = _overlap(x.shape[2], size[1], first, segment.stride[0])
            for column in range(self._kernel[1]):
                across = _overlap(
                    x.shape[3], size[2], column * segment.dilation[1] - segment.pads[1], segment.stride[1]
                )
                every = slice(None)
                yield (y, column), (every, every, down[0], across[0]), (every, every, down[1], across[1])


def _overlap(size: int, count: int, first: int, stride: int) -> tuple[slice, slice]:
    """Places ``first + stride * i`` within ``size``, and the i of 0 to ``count`` that have them."""
    begin = min(max(0, -(first // stride)), count)
    end = max(begin, min(count, (size - 1 - first) // stride + 1))
    at = first + begin * stride
    return (slice(at, at + (end - begin - 1) * stride + 1, stride) if end > begin else slice(0, 0)), slice(begin, end)


def _by_channel(values: NDArray[np.float64], axes: int, dtype: type[np.floating]) -> NDArray[np.floating]:
    return values.astype(dtype).reshape(-1, *(1,) * (axes - 1))
