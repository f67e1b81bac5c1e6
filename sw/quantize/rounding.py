"""What rounding weights goes by: their sums, the error that they cost, and the order in which they are taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cores import multiplied

__all__ = [
    "BLOCK",
    "Bounds",
    "by_group",
    "by_power",
    "errors",
    "ordered",
    "permuted",
    "sum_bounds",
    "unpermuted",
]

BLOCK = 32
"""Weights of a channel that are rounded before the others hear of it; groups of channels have no more of them."""

_PART = 512
"""Weights of a channel whose error is computed beside that of those behind them: both halves of a metric are alike."""


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
    whole = levels.astype(np.float64)  # exact: levels and spans are small integers
    above = np.maximum(whole, 0.0)
    low, high = spans.transpose(2, 0, 1).astype(np.float64)
    wide = by_group(above, high - low, group)
    return (by_group(whole, high, group) - wide).astype(np.int64), (by_group(whole, low, group) + wide).astype(np.int64)


def by_group(rows: NDArray[np.float64], values: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums (R,) of rows (R, K) times the values (G, K) of their groups (R,)."""
    return rows @ values[0] if len(values) == 1 else np.einsum("rk,rk->r", rows, values[group])


def errors(
    deviation: NDArray[np.floating], metric: NDArray[np.floating], group: NDArray[np.int64]
) -> NDArray[np.float64]:
    """``e metric e'`` (R,) of deviations (R, K) with the symmetric metrics (G, K, K) of their groups (R,)."""
    if len(metric) > 1:
        moved = (deviation[:, np.newaxis] @ metric[group])[:, 0]
        return np.einsum("rk,rk->r", moved, deviation)
    count, total = deviation.shape[1], np.zeros(len(deviation))
    step = max(1, count) if count <= 2 * _PART else _PART
    for first in range(0, count, step):
        own, behind = slice(first, first + step), slice(first + step, count)
        moved = multiplied(deviation[:, own], metric[0, own, own])
        if behind.start < count:
            moved += 2 * multiplied(deviation[:, behind], metric[0, behind, own])
        total += np.einsum("rk,rk->r", moved, deviation[:, own])
    return total


def by_power(metric: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places (G, K) of inputs, those of the most power first."""
    return np.argsort(-np.diagonal(metric, axis1=1, axis2=2), axis=1, kind="stable")


def permuted(metric: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.float64]:
    """Metrics (G, K, K) of inputs in another order (G, K)."""
    if len(metric) == 1:
        return metric[0].take(order[0], axis=0).take(order[0], axis=1)[np.newaxis]
    groups = np.arange(len(metric))[:, np.newaxis, np.newaxis]
    return metric[groups, order[:, :, np.newaxis], order[:, np.newaxis]]


def ordered(rows: NDArray, order: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray:
    """Rows (R, K) in the order (G, K) of their groups (R,)."""
    return rows.take(order[0], axis=1) if len(order) == 1 else np.take_along_axis(rows, order[group], axis=1)


def unpermuted(levels: NDArray[np.int64], order: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows that `ordered` was given."""
    return ordered(levels, np.argsort(order, axis=1), group)
