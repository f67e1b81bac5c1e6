"""Greedy accumulator-aware rounding (AXE, arXiv 2409.17092): one weight after the other, within a budget of sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.formats import Format
from .rounding import sum_bounds

__all__ = ["round_greedily", "shrink"]

_HALVINGS = 40


def shrink(
    weights: NDArray[np.float64], spans: NDArray[np.int64], room: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Real weights moved towards zero, all of a row by the same amount, until their sums keep to the room.

    That is the projection onto a ball of the l1 norm where inputs are 0 to a largest level or symmetric.

    Parameters
    ----------
    weights : (R, K)
        In levels.
    spans : (K, 2)
        Smallest and largest level of each input; 0 lies within.
    room : (low, high), each (R,)
        Smallest and largest sum; 0 lies within.
    """

    def shrunk(amount: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sign(weights) * np.maximum(np.abs(weights) - amount[:, np.newaxis], 0.0)

    def fits(amount: NDArray[np.float64]) -> NDArray[np.bool_]:
        first, second = shrunk(amount) * spans[:, 0], shrunk(amount) * spans[:, 1]
        least, most = np.minimum(first, second).sum(axis=1), np.maximum(first, second).sum(axis=1)
        return (least >= room[0]) & (most <= room[1])

    low = np.zeros(len(weights))
    high = np.abs(weights).max(axis=1, initial=0.0)
    whole = fits(low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        good = fits(middle)
        low, high = np.where(good, low, middle), np.where(good, middle, high)
    return np.where(whole[:, np.newaxis], weights, shrunk(high))


def round_greedily(
    target: NDArray[np.float64],
    *,
    scale: NDArray[np.float64],
    metric: NDArray[np.float64],
    fmt: Format,
    spans: NDArray[np.int64],
    room: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Levels whose sums keep to the room.

    Weights are shrunk, and rounded in the order of their inputs' power. Each takes the level nearest to it that the
    room still allows; what that misses, later weights make up for (OPTQ, arXiv 2210.17323).

    Parameters
    ----------
    target : (R, K)
        Real weights; one row is one channel at one scale.
    scale : (R,)
        Accumulator scale.
    metric : (K, K)
        Error of deviations ``e`` is ``e metric e'``; positive definite.
    fmt : Format
        Of the weights.
    spans : (K, 2)
        Smallest and largest level of each input.
    room : (low, high), each (R,)
        What the weights' smallest and largest sum may be; 0 lies within.
    """
    order = np.argsort(-np.diag(metric), kind="stable")
    factor = np.linalg.cholesky(np.linalg.inv(metric[np.ix_(order, order)])).T
    wanted = shrink(target / scale[:, np.newaxis], spans, room)[:, order]
    result = np.zeros(target.shape, dtype=np.int64)
    low, high = (np.zeros(len(target), dtype=np.int64) for _ in range(2))
    for step, k in enumerate(order):
        least, most = sum_bounds(fmt.levels[:, np.newaxis], spans[k : k + 1])
        distance = np.abs(fmt.levels - wanted[:, step, np.newaxis])
        allowed = (low[:, np.newaxis] + least[:, 0] >= room[0][:, np.newaxis]) & (
            high[:, np.newaxis] + most[:, 0] <= room[1][:, np.newaxis]
        )
        pick = np.where(allowed, distance, np.inf).argmin(axis=1)
        result[:, k] = fmt.levels[pick]
        low, high = low + least[pick, 0], high + most[pick, 0]
        missed = (wanted[:, step] - result[:, k]) / factor[step, step]
        wanted[:, step + 1 :] -= np.outer(missed, factor[step, step + 1 :])
    return result
