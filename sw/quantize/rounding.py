"""Rounding weights so that their errors cancel: coordinate descent on a layer's error, inside the certificate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.formats import Format

__all__ = ["Bounds", "descend", "sum_bounds"]

_SWEEPS = 3


@dataclass(frozen=True)
class Bounds:
    """Smallest and largest final sum that an accumulator holds."""

    low: int
    high: int

    @staticmethod
    def of(bits: int) -> Bounds:
        """Bounds of ``bits`` bits of two's complement."""
        return Bounds(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def sum_bounds(levels: NDArray[np.int64], spans: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest and largest products of weights of shape (..., K) with inputs of ``spans`` (K, 2), by weight."""
    first, second = levels * spans[:, 0], levels * spans[:, 1]
    return np.minimum(first, second), np.maximum(first, second)


def descend(
    start: NDArray[np.int64],
    *,
    target: NDArray[np.float64],
    scale: NDArray[np.float64],
    metric: NDArray[np.float64],
    fmt: Format,
    spans: NDArray[np.int64],
    room: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Levels whose output error is no larger than that of ``start``.

    One weight at a time moves to the level that is best given all others (the idea of arXiv 2309.01885), unless the
    final sum could then leave the accumulator.

    Parameters
    ----------
    start : (R, K)
        Levels inside the bounds; one row is one channel at one scale.
    target : (R, K)
        Real weights.
    scale : (R,)
        Accumulator scale.
    metric : (K, K)
        Error of deviations ``e`` is ``e metric e'``; positive definite.
    fmt : Format
        Of the weights.
    spans : (K, 2)
        Smallest and largest level of each input.
    room : (low, high), each (R,)
        What the learned weights' smallest and largest sum may be.
    """
    levels = start.copy()
    slope = (levels * scale[:, np.newaxis] - target) @ metric
    least, most = sum_bounds(levels, spans)
    low, high = least.sum(axis=1), most.sum(axis=1)
    order = np.argsort(-np.diag(metric), kind="stable")
    for _ in range(_SWEEPS):
        changed = False
        for k in order:
            current = levels[:, k]
            wanted = fmt.quantise(current - slope[:, k] / (metric[k, k] * scale))
            if (wanted == current).all():
                continue
            before, after = (sum_bounds(column[:, np.newaxis], spans[k : k + 1]) for column in (current, wanted))
            new_low, new_high = low + (after[0] - before[0])[:, 0], high + (after[1] - before[1])[:, 0]
            allowed = (wanted != current) & (new_low >= room[0]) & (new_high <= room[1])
            if not allowed.any():
                continue
            changed = True
            low, high = np.where(allowed, new_low, low), np.where(allowed, new_high, high)
            moved = np.flatnonzero(allowed)
            step = (wanted - current)[moved]
            levels[moved, k] += step
            slope[moved] += np.outer(step * scale[moved], metric[k])
        if not changed:
            break
    return levels
