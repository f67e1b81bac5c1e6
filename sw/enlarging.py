"""Enlarging layers: sums on a small image, whose channels are the phases of a larger one.

With factors (f, g) channel ``(p * g + q) * C + c`` at pixel (Y, X) is channel c at pixel ``(f*Y + p, g*X + q)``
(sub-pixel convolution, arXiv 1609.05158). Layers with factors (1, 1) are ordinary ones.
"""

from __future__ import annotations

from numpy.typing import NDArray

__all__ = ["Factors", "apart", "enlarged", "enlarged_shape", "small_size"]

Factors = tuple[int, int]
"""Lines, and columns, of the large image for each one of the small."""


def enlarged(values: NDArray, factors: Factors) -> NDArray:
    """The large image: (N, f*g*C, H, W) to (N, C, f*H, g*W)."""
    f, g = factors
    if factors == (1, 1):
        return values
    count, channels, height, width = values.shape
    split = values.reshape(count, f, g, channels // (f * g), height, width)
    return split.transpose(0, 3, 4, 1, 5, 2).reshape(count, channels // (f * g), f * height, g * width)


def apart(values: NDArray, factors: Factors) -> NDArray:
    """The phases: (N, C, f*H, g*W) to (N, f*g*C, H, W); the inverse of :func:`enlarged`."""
    f, g = factors
    if factors == (1, 1):
        return values
    count, channels, height, width = values.shape
    split = values.reshape(count, channels, height // f, f, width // g, g)
    return split.transpose(0, 3, 5, 1, 2, 4).reshape(count, f * g * channels, height // f, width // g)


def enlarged_shape(shape: tuple[int, int, int], factors: Factors) -> tuple[int, int, int]:
    """tuple[int, int, int] of the large image from that of the sums."""
    f, g = factors
    return shape[0] // (f * g), shape[1] * f, shape[2] * g


def small_size(shape: tuple[int, int, int], factors: Factors) -> tuple[int, int]:
    """Lines and columns of the sums from the shape of the large image."""
    return shape[1] // factors[0], shape[2] // factors[1]
