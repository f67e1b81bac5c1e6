"""Integer semantics of the operators, in plain numpy: leaf functions that golden model and calibration share."""

from __future__ import annotations

import functools
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .formats import Format

__all__ = ["SegmentLike", "accumulate", "accumulate_products", "max_pool", "nearest_table", "output_size", "rescale"]

_CHUNK_VALUES = 1 << 20  # values of one im2col matrix: what a core's cache holds
_FLOAT32_EXACT, _FLOAT64_EXACT = 1 << 24, 1 << 53


class SegmentLike(Protocol):
    """What :func:`accumulate` reads of a segment (`sw/quantised.py`)."""

    @property
    def weights(self) -> NDArray[np.int64]:
        """Levels of shape (O, C, kH, kW), or (C, 1, kH, kW) when depthwise."""
        ...

    @property
    def depthwise(self) -> bool:
        """Output channel c reads source channel c only."""
        ...

    @property
    def stride(self) -> tuple[int, int]:
        """Vertical and horizontal stride."""
        ...

    @property
    def pads(self) -> tuple[int, int, int, int]:
        """Padding at top, left, bottom, right."""
        ...

    @property
    def dilation(self) -> tuple[int, int]:
        """Vertical and horizontal distance of taps."""
        ...

    @property
    def inset(self) -> tuple[int, int, int, int]:
        """Lines and columns of output pixels at top, left, bottom, right that see only zero levels."""
        ...


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Output lines or columns of a window that moves over ``size`` plus ``padding`` (both sides together)."""
    return (size + padding - dilation * (kernel - 1) - 1) // stride + 1


def accumulate(levels: ArrayLike, zero: int, segment: SegmentLike) -> NDArray[np.int64]:
    """Exact sums of one segment: convolution of levels with weight levels; padding reads as the zero level.

    Padding below 0 leaves out lines or columns of the source. Output pixels in the segment's inset read zero levels.

    Parameters
    ----------
    levels : array of int, shape (N, C, H, W)
    zero : int
        Zero level of the source.
    segment : SegmentLike
        Weights of shape (O, C, kH, kW), or (C, 1, kH, kW) when depthwise.

    Returns
    -------
    array of int64, shape (N, O, OH, OW)

    Raises
    ------
    ValueError
        If the channels do not match, or a sum could pass 2**53.
    """
    levels, weights = np.asarray(levels), np.asarray(segment.weights, dtype=np.int64)
    samples, channels = levels.shape[:2]
    expected = weights.shape[0] if segment.depthwise else weights.shape[1]
    if channels != expected:
        raise ValueError(f"the segment's weights are for {expected} channels, its source has {channels}")
    largest = max(int(levels.max(initial=zero)), -int(levels.min(initial=zero)), abs(zero), 1)
    bound = largest * int(np.abs(weights).reshape(len(weights), -1).sum(axis=1).max(initial=0))
    if bound >= _FLOAT64_EXACT:
        raise ValueError(f"sums up to {bound} cannot be computed exactly")
    # BLAS is exact on integers as long as no partial sum leaves the mantissa.
    dtype = np.float32 if bound < _FLOAT32_EXACT else np.float64
    per_sample = max(1, weights[0].size * channels // weights.shape[1] * levels.shape[2] * levels.shape[3])
    chunk = max(1, _CHUNK_VALUES // per_sample)
    parts = [
        _convolve(levels[first : first + chunk].astype(dtype), zero, weights.astype(dtype), segment)
        for first in range(0, max(samples, 1), chunk)
    ]
    return np.concatenate(parts)


def accumulate_products(
    levels: ArrayLike, zero: int, held: ArrayLike, held_zero: int, *, depthwise: bool
) -> NDArray[np.int64]:
    """Exact sums of products of two tensors: ``sum of x*w - Zx*w - Zw*x``, which ``sum of Zx*Zw`` less is that of
    ``(x - Zx)*(w - Zw)``.

    Parameters
    ----------
    levels : array of int, shape (N, C, H, W)
        Levels x.
    held : array of int, shape (N, C, HH, HW)
        Levels w. Matrix product: of pixel o all channels weigh output channel o. ``depthwise``, the elementwise
        product: of the same shape, or of one pixel, which stands for all.
    zero, held_zero : int
        Zero levels Zx and Zw.

    Returns
    -------
    array of int64, shape (N, HH * HW, H, W), or that of ``levels`` when depthwise
    """
    x, w = np.asarray(levels, dtype=np.int64), np.asarray(held, dtype=np.int64)
    if x.shape[:2] != w.shape[:2] or (depthwise and w.shape[2:] not in (x.shape[2:], (1, 1))):
        kind = "elementwise" if depthwise else "matrix"
        raise ValueError(f"levels of shapes {x.shape} and {w.shape} have no {kind} product")
    if depthwise:
        return x * w - zero * w - held_zero * x
    w = w.reshape(*w.shape[:2], -1)
    sums = np.einsum("nchw,nco->nohw", x, w)
    sums -= zero * w.sum(axis=1)[:, :, np.newaxis, np.newaxis]
    return sums - held_zero * x.sum(axis=1, keepdims=True)


def _convolve(
    levels: NDArray[np.floating],
    zero: int,
    weights: NDArray[np.floating],
    segment: SegmentLike,
) -> NDArray[np.int64]:
    top, left, bottom, right = segment.pads
    samples, channels, height, width = levels.shape
    kernel_h, kernel_w = weights.shape[2:]
    out_h = output_size(height, kernel_h, segment.stride[0], top + bottom, segment.dilation[0])
    out_w = output_size(width, kernel_w, segment.stride[1], left + right, segment.dilation[1])
    padded = _padded(levels.transpose(1, 0, 2, 3), segment.pads, zero)

    patches = np.empty((kernel_h, kernel_w, channels, samples, out_h, out_w), dtype=levels.dtype)
    for y in range(kernel_h):
        lines = _strided(y * segment.dilation[0], out_h, segment.stride[0])
        for x in range(kernel_w):
            patches[y, x] = padded[:, :, lines, _strided(x * segment.dilation[1], out_w, segment.stride[1])]
    if any(segment.inset):
        above, before, below, behind = segment.inset
        inside = np.zeros((out_h, out_w), dtype=bool)
        inside[above : max(0, out_h - below), before : max(0, out_w - behind)] = True
        patches[..., ~inside] = zero
    positions = samples * out_h * out_w
    if segment.depthwise:
        sums = np.einsum("cyx,yxcp->cp", weights[:, 0], patches.reshape(kernel_h, kernel_w, channels, positions))
    else:
        matrix = weights.transpose(0, 2, 3, 1).reshape(len(weights), -1)
        sums = matrix @ patches.reshape(kernel_h * kernel_w * channels, positions)
    return sums.reshape(len(weights), samples, out_h, out_w).transpose(1, 0, 2, 3).astype(np.int64)


def _padded(levels: NDArray, pads: tuple[int, int, int, int], fill: float) -> NDArray:
    """Levels of shape (..., H, W) with lines and columns of ``fill`` around them, or without some of their own."""
    top, left, bottom, right = (max(0, pad) for pad in pads)
    height, width = levels.shape[-2:]
    padded = np.full((*levels.shape[:-2], height + top + bottom, width + left + right), fill, dtype=levels.dtype)
    padded[..., top : top + height, left : left + width] = levels
    above, before, below, behind = (max(0, -pad) for pad in pads)
    return padded[..., above : padded.shape[-2] - below, before : padded.shape[-1] - behind]


def _strided(first: int, count: int, stride: int) -> slice:
    """``count`` places from ``first``, ``stride`` apart."""
    return slice(first, first + (count - 1) * stride + 1, stride)


def rescale(
    acc: ArrayLike,
    bias: ArrayLike,
    multiplicand: ArrayLike,
    shift: ArrayLike,
    *,
    zero: int,
    fmt: Format,
    low: int,
    high: int,
) -> NDArray[np.int64]:
    """Output levels ``nearest((acc + bias) * multiplicand / 2**shift + zero)``, ties toward +infinity, clamped.

    One rounding, by comparing ``h = floor(2 * v / 2**shift) + 2 * zero`` with the sums of neighbouring levels.

    Parameters
    ----------
    acc : array of int, shape (N, O, ...)
        Final sums.
    bias, multiplicand, shift : arrays of int, shape (O,)
    zero, low, high : int
        Zero level and clamp of the output, levels of ``fmt``.
    fmt : Format

    Returns
    -------
    array of int64, shape of ``acc``
    """
    acc = np.asarray(acc, dtype=np.int64)
    bias, multiplicand, shift = (
        np.asarray(values, dtype=np.int64).reshape(-1, *(1,) * (acc.ndim - 2)) for values in (bias, multiplicand, shift)
    )
    value = (acc + bias) * multiplicand
    # floor(2v / 2**s) without the doubling that could overflow; what the clip cuts lies far beyond every level.
    halves = np.clip(value >> np.maximum(shift - 1, 0), -(1 << 60), 1 << 60) << (shift == 0)
    first, table = nearest_table(fmt, low, high)
    index = np.clip(halves + (2 * zero - first), 0, len(table) - 1)
    return table[index]


@functools.cache
def nearest_table(fmt: Format, low: int, high: int) -> tuple[int, NDArray[np.int64]]:
    """Clamped nearest level to h/2 for ``h = first, first + 1, ...``; beyond both ends it stays the same.

    Returns
    -------
    first, levels : int, array of int64
    """
    levels = fmt.levels
    halves = np.arange(2 * int(levels[0]), 2 * int(levels[-1]) + 1)
    nearest = levels[np.searchsorted(levels[1:] + levels[:-1], halves, side="right")]
    return int(halves[0]), np.clip(nearest, low, high)


def max_pool(
    levels: ArrayLike,
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> NDArray:
    """Largest level of each window; padding is excluded.

    Parameters
    ----------
    levels : array, shape (N, C, H, W)
        Signed or floating-point numbers.
    kernel, stride, dilation : (int, int)
    pads : (top, left, bottom, right)

    Returns
    -------
    array, shape (N, C, OH, OW)
        Of the same type.

    Raises
    ------
    ValueError
        If a window lies in the padding altogether.
    """
    levels = np.asarray(levels)
    nothing = np.iinfo(levels.dtype).min if levels.dtype.kind in "iu" else -np.inf
    top, left, bottom, right = pads
    padded = _padded(levels, pads, nothing)
    out_h = output_size(levels.shape[2], kernel[0], stride[0], top + bottom, dilation[0])
    out_w = output_size(levels.shape[3], kernel[1], stride[1], left + right, dilation[1])
    largest = np.full((*levels.shape[:2], out_h, out_w), nothing, dtype=levels.dtype)
    for y in range(kernel[0]):
        lines = _strided(y * dilation[0], out_h, stride[0])
        for x in range(kernel[1]):
            np.maximum(largest, padded[:, :, lines, _strided(x * dilation[1], out_w, stride[1])], out=largest)
    if (largest == nothing).any():
        raise ValueError("a max-pool window lies in the padding altogether: pad by less than the kernel")
    return largest
