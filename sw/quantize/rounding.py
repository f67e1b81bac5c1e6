"""Rounding weights so that their errors cancel: coordinate descent on a layer's error, inside the certificate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.formats import Format

__all__ = [
    "BLOCK",
    "Bounds",
    "by_group",
    "by_power",
    "descend",
    "errors",
    "permuted",
    "sum_bounds",
    "unpermuted",
]

_SWEEPS = 3

BLOCK = 32
"""Weights of a channel that are rounded before the others hear of it; groups of channels have no more of them."""


@dataclass(frozen=True)
class Bounds:
    """Smallest and largest final sum that an accumulator holds."""

    low: int
    high: int

    @staticmethod
    def of(bits: int) -> Bounds:
        """Bounds of ``bits`` bits of two's complement."""
        return Bounds(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def sum_bounds(
    levels: NDArray[np.signedinteger], spans: NDArray[np.int64], group: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest and largest sums (R,) of weights (R, K) times inputs of the spans (G, K, 2) of their groups (R,)."""
    above = np.maximum(levels, 0).astype(np.float64)  # exact: levels and spans are small integers
    below = levels - above
    low, high = (by_group(above, end, group) for end in spans.transpose(2, 0, 1).astype(np.float64))
    under, over = (by_group(below, end, group) for end in spans.transpose(2, 0, 1).astype(np.float64))
    return (low + over).astype(np.int64), (high + under).astype(np.int64)


def by_group(rows: NDArray[np.float64], values: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums (R,) of rows (R, K) times the values (G, K) of their groups (R,)."""
    return rows @ values[0] if len(values) == 1 else np.einsum("rk,rk->r", rows, values[group])


def errors(
    deviation: NDArray[np.float64], metric: NDArray[np.float64], group: NDArray[np.int64]
) -> NDArray[np.float64]:
    """``e metric e'`` (R,) of deviations (R, K) with the metrics (G, K, K) of their groups (R,)."""
    moved = deviation @ metric[0] if len(metric) == 1 else (deviation[:, np.newaxis] @ metric[group])[:, 0]
    return np.einsum("rk,rk->r", moved, deviation)


def descend(
    start: NDArray[np.int64],
    *,
    target: NDArray[np.float64],
    scale: NDArray[np.float64],
    metric: NDArray[np.float64],
    group: NDArray[np.int64],
    fmt: Format,
    spans: NDArray[np.int64],
    room: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Levels whose output error is no larger than that of ``start``.

    One weight at a time moves to the level that is best given all others (the idea of arXiv 2309.01885), unless the
    final sum could then leave the accumulator. What moves within a block of weights reaches those outside as one matrix
    product, when the block is done.

    Parameters
    ----------
    start : (R, K)
        Levels inside the bounds; one row is one channel at one scale.
    target : (R, K)
        Real weights.
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
        What the learned weights' smallest and largest sum may be.
    """
    order = by_power(metric)
    own = order[group]
    levels, metric = np.take_along_axis(start, own, axis=1), permuted(metric, order)
    deviation = levels * scale[:, np.newaxis] - np.take_along_axis(target, own, axis=1)
    slope = deviation @ metric[0] if len(metric) == 1 else (deviation[:, np.newaxis] @ metric[group])[:, 0]
    lows, highs = (np.take_along_axis(spans[..., side], order, axis=1) for side in (0, 1))
    low, high = sum_bounds(levels, np.stack([lows, highs], axis=-1), group)
    count = levels.shape[1]
    whole = count <= BLOCK
    for _ in range(_SWEEPS):
        changed = False
        for first in range(0, count, BLOCK):
            end = min(first + BLOCK, count)
            near, before = slope[:, first:end].copy(), levels[:, first:end].copy()
            for k in range(first, end):
                current, weigh = levels[:, k], metric[group, k, k]
                wanted = fmt.quantise(current - near[:, k - first] / (weigh * scale))
                if (wanted == current).all():
                    continue
                least, most = lows[group, k], highs[group, k]
                was, after = ((w * least, w * most) for w in (current, wanted))
                new_low = low + np.minimum(*after) - np.minimum(*was)
                new_high = high + np.maximum(*after) - np.maximum(*was)
                allowed = (wanted != current) & (new_low >= room[0]) & (new_high <= room[1])
                moved = np.flatnonzero(allowed)
                if not moved.size:
                    continue
                changed = True
                low, high = np.where(allowed, new_low, low), np.where(allowed, new_high, high)
                step = (wanted - current)[moved]
                levels[moved, k] += step
                # Beyond a single block, what lies behind hears of it when the block is done.
                ahead = 0 if whole else k + 1 - first
                rows = metric[0, k] if len(metric) == 1 else metric[group[moved], k]
                near[moved, ahead:] += (step * scale[moved])[:, np.newaxis] * rows[..., first + ahead : end]
            if whole:
                slope = near
                continue
            change = levels[:, first:end] - before
            moved = np.flatnonzero(change.any(axis=1))
            # Blocks are of a single group.
            slope[moved] += (change[moved] * scale[moved, np.newaxis]) @ metric[0, first:end]
        if not changed:
            break
    return unpermuted(levels, own)


def by_power(metric: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places (G, K) of inputs, those of the most power first."""
    return np.argsort(-np.diagonal(metric, axis1=1, axis2=2), axis=1, kind="stable")


def permuted(metric: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.float64]:
    """Metrics (G, K, K) of inputs in another order (G, K)."""
    groups = np.arange(len(metric))[:, np.newaxis, np.newaxis]
    return metric[groups, order[:, :, np.newaxis], order[:, np.newaxis]]


def unpermuted(levels: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Levels (R, K) back in the places (R, K) that they were taken from."""
    result = np.empty_like(levels)
    np.put_along_axis(result, order, levels, axis=1)
    return result
