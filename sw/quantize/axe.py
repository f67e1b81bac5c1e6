"""Greedy accumulator-aware rounding (AXE, arXiv 2409.17092): one weight after the other, within a budget of sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.formats import Format
from .rounding import BLOCK, by_group, by_power, ordered, permuted, unpermuted

__all__ = ["round_greedily", "shrink"]

_HALVINGS = 40


def shrink(
    weights: NDArray[np.float64],
    spans: NDArray[np.int64],
    group: NDArray[np.int64],
    room: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.float64]:
    """Real weights moved towards zero, all of a row by the same amount, until their sums keep to the room.

    That is the projection onto a ball of the l1 norm where inputs are 0 to a largest level or symmetric.

    Parameters
    ----------
    weights : (R, K)
        In levels.
    spans : (G, K, 2)
        Smallest and largest level of each input; 0 lies within.
    group : (R,)
        Which of the spans.
    room : (low, high), each (R,)
        Smallest and largest sum; 0 lies within.
    """
    result = weights.copy()
    left = np.flatnonzero(~_fit(weights, spans, group, room))
    least, most = (np.broadcast_to(end, len(weights))[left] for end in room)
    whole, low = weights[left], np.zeros(len(left))
    high = np.abs(whole).max(axis=1, initial=0.0)
    for _ in range(_HALVINGS if left.size else 0):
        middle = (low + high) / 2
        good = _fit(_shrunk(whole, middle), spans, group[left], (least, most))
        low, high = np.where(good, low, middle), np.where(good, middle, high)
    result[left] = _shrunk(whole, high)
    return result


def _shrunk(weights: NDArray[np.float64], amount: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.copysign(np.maximum(np.abs(weights) - amount[:, np.newaxis], 0.0), weights)


def _fit(
    weights: NDArray[np.float64],
    spans: NDArray[np.int64],
    group: NDArray[np.int64],
    room: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.bool_]:
    """Whether the smallest and the largest sum of each row lie in the room."""
    above = np.maximum(weights, 0.0)
    below = weights - above
    low, high = spans.transpose(2, 0, 1).astype(np.float64)
    least = by_group(above, low, group) + by_group(below, high, group)
    most = by_group(above, high, group) + by_group(below, low, group)
    return (least >= room[0]) & (most <= room[1])


def round_greedily(
    target: NDArray[np.float64],
    *,
    scale: NDArray[np.float64],
    metric: NDArray[np.float64],
    group: NDArray[np.int64],
    fmt: Format,
    spans: NDArray[np.int64],
    room: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Levels whose sums keep to the room.

    Weights are shrunk, and rounded in the order of their inputs' power. Each takes the level nearest to it that the
    room still allows; what that misses, later weights make up for (OPTQ, arXiv 2210.17323), those beyond a block of
    weights when the block is done.

    Parameters
    ----------
    target : (R, K)
        Real weights; one row is one channel at one scale.
    scale : (R,)
        Accumulator scale.
    metric : (G, K, K)
        Error of deviations ``e`` is ``e metric e'``; positive definite.
    group : (R,)
        Which of them, and of the spans.
    fmt : Format
        Of the weights.
    spans : (G, K, 2)
        Smallest and largest level of each input.
    room : (low, high), each (R,)
        What the weights' smallest and largest sum may be; 0 lies within.
    """
    order = by_power(metric)
    factor = np.linalg.cholesky(np.linalg.inv(permuted(metric, order))).transpose(0, 2, 1)
    wanted = ordered(shrink(target / scale[:, np.newaxis], spans, group, room), order, group)
    lows, highs = (np.take_along_axis(spans[..., side], order, axis=1) for side in (0, 1))
    result = np.zeros(target.shape, dtype=np.int64)
    low, high = (np.zeros(len(target), dtype=np.int64) for _ in range(2))
    rows, count = np.arange(len(target)), target.shape[1]
    for first in range(0, count, BLOCK):
        end = min(first + BLOCK, count)
        missed = np.zeros((len(target), end - first))
        for k in range(first, end):
            products = [fmt.levels * ends[group, k, np.newaxis] for ends in (lows, highs)]
            least, most = np.minimum(*products), np.maximum(*products)
            distance = np.abs(fmt.levels - wanted[:, k, np.newaxis])
            allowed = (low[:, np.newaxis] + least >= room[0][:, np.newaxis]) & (
                high[:, np.newaxis] + most <= room[1][:, np.newaxis]
            )
            pick = np.where(allowed, distance, np.inf).argmin(axis=1)
            result[:, k] = fmt.levels[pick]
            low, high = low + least[rows, pick], high + most[rows, pick]
            missed[:, k - first] = (wanted[:, k] - result[:, k]) / factor[group, k, k]
            wanted[:, k + 1 : end] -= missed[:, k - first, np.newaxis] * factor[group, k, k + 1 : end]
        if end < count:  # blocks are of a single group
            wanted[:, end:] -= missed @ factor[0, first:end, end:]
    return unpermuted(result, order, group)
