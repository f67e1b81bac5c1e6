"""Overflow certificate: the accumulator width that final sums need (arXiv 2308.13504, 2401.10432)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["final_sum_bounds", "product_sum_bounds", "signed_bits"]


def final_sum_bounds(terms: Iterable[tuple[ArrayLike, tuple[int, int]]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest and largest final sum of each output channel.

    ``max = hi*S+ - lo*S-``, ``min = lo*S+ - hi*S-`` summed over terms, where S+ and S- are the sums of positive and of
    absolute negative weight levels of a channel. Exact for any order of summation, since 0 lies in every span.

    Parameters
    ----------
    terms : iterable of (weights, (lo, hi))
        Weights of shape (O, ...) in levels, and the span of the levels they multiply, ``lo <= 0 <= hi``.

    Returns
    -------
    low, high : arrays of int64, shape (O,)
    """
    low, high = np.int64(0), np.int64(0)
    for weights, (lo, hi) in terms:
        if not lo <= 0 <= hi:
            raise ValueError(f"a span must hold 0, not ({lo}, {hi})")
        flat = np.asarray(weights, dtype=np.int64)
        flat = flat.reshape(len(flat), -1)
        positive, negative = np.maximum(flat, 0).sum(axis=1), np.maximum(-flat, 0).sum(axis=1)
        high = high + hi * positive - lo * negative
        low = low + lo * positive - hi * negative
    return np.atleast_1d(low), np.atleast_1d(high)


def product_sum_bounds(x: tuple[int, int], x_zero: int, w: tuple[int, int], w_zero: int, terms: int) -> tuple[int, int]:
    """Smallest and largest sum of ``terms`` products ``x*w - x_zero*w - w_zero*x`` of two tensors' levels.

    A product is linear in either level, so that it is smallest and largest where both are at an end of their span.
    Both spans hold 0, whose product is 0, so that sums of fewer products lie between the same bounds.

    Parameters
    ----------
    x, w : (lo, hi)
        Spans of the levels, ``lo <= 0 <= hi``.
    x_zero, w_zero : int
        Zero levels.
    terms : int
        Products in a sum.
    """
    for lo, hi in (x, w):
        if not lo <= 0 <= hi:
            raise ValueError(f"a span must hold 0, not ({lo}, {hi})")
    corners = [a * b - x_zero * b - w_zero * a for a in x for b in w]
    return terms * min(corners), terms * max(corners)


def signed_bits(low: ArrayLike, high: ArrayLike) -> int:
    """Narrowest two's-complement width that holds every value from ``low`` to ``high``."""
    bounds = [int(v) for v in np.ravel(low)] + [int(v) for v in np.ravel(high)]
    return max((v if v >= 0 else ~v).bit_length() for v in bounds) + 1
