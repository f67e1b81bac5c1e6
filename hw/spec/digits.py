"""Digit planes: every operand as radix-8 digits that the one 4-bit multiplier understands."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .formats import DyBit, Format

__all__ = [
    "DIGIT_SHIFT",
    "MAX_PLANES",
    "NATIVE",
    "digit_count",
    "digit_span",
    "format_planes",
    "from_planes",
    "to_planes",
]

NATIVE = DyBit(4)
"""Format of one stored code and of one multiplier operand: signed DyBit of 4 bits."""

DIGIT_SHIFT = 3
"""Digits are radix ``2**DIGIT_SHIFT``; each is -4..4, all of them levels of `NATIVE`."""

MAX_PLANES = 5
"""Most digits any format needs (DyBit8)."""


def digit_span(planes: int) -> int:
    """Largest magnitude whose ``planes`` digits stay within -4..4: 4, 35, 287, 2303, 18431.

    A digit position rounds half up, so that a top digit of 4 leaves less than half a step below it:
    ``p_(n-1) <= 4`` means ``x < 4.5 * 8**(n-1)``.
    """
    return (9 * 8 ** (planes - 1) + 1) // 2 - 1


def digit_count(levels: ArrayLike) -> int:
    """Fewest planes that hold every given level: 1 if all are native, else as many digits as the largest needs.

    Raises
    ------
    ValueError
        If a level needs more than `MAX_PLANES` digits.
    """
    levels = np.abs(np.asarray(levels, dtype=np.int64))
    if np.isin(levels, NATIVE.magnitudes).all():
        return 1
    for planes in range(2, MAX_PLANES + 1):
        if levels.max(initial=0) <= digit_span(planes):
            return planes
    raise ValueError(f"level {int(levels.max())} needs more than {MAX_PLANES} digits")


@functools.cache
def format_planes(fmt: Format) -> int:
    """Planes in which any level of a format is stored."""
    return digit_count(fmt.levels)


def to_planes(levels: ArrayLike, planes: int) -> NDArray[np.uint8]:
    """Native 4-bit codes of each digit of each level.

    With one plane a level is its native code; with more, digit ``i`` has weight ``8**i`` and is -4..4:
    ``p_0 = |x|``, ``p_i = (|x| + (8**i >> 1)) >> 3*i``, ``d_i = sign(x) * (p_i - 8 * p_(i+1))``, ``p_n = 0``.

    Parameters
    ----------
    levels : array of int, shape (...)
    planes : int
        1 to `MAX_PLANES`.

    Returns
    -------
    array of uint8, shape (planes, ...)
        Plane 0 holds the least significant digit.

    Raises
    ------
    ValueError
        If a level does not fit.
    """
    levels = np.asarray(levels, dtype=np.int64)
    if planes == 1:
        return NATIVE.encode(levels).astype(np.uint8)[np.newaxis]
    magnitude = np.abs(levels)
    if magnitude.max(initial=0) > digit_span(planes):
        raise ValueError(f"level {int(magnitude.max())} does not fit {planes} digits")
    prefixes = [(magnitude + (8**i >> 1)) >> (DIGIT_SHIFT * i) if i else magnitude for i in range(planes)]
    prefixes.append(np.zeros_like(magnitude))
    digits = np.stack([prefixes[i] - 8 * prefixes[i + 1] for i in range(planes)])
    return NATIVE.encode(np.where(levels < 0, -digits, digits)).astype(np.uint8)


def from_planes(codes: ArrayLike) -> NDArray[np.int64]:
    """Levels of native codes of shape (planes, ...); the inverse of :func:`to_planes`."""
    digits = NATIVE.decode(codes)
    weights = 8 ** np.arange(len(digits), dtype=np.int64)
    return np.tensordot(weights, digits, axes=1)
