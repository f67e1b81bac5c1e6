"""Rounding weights so that their errors cancel: coordinate descent on a layer's error, inside the certificate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.formats import Format
from ...hw.spec.semantics import nearest_table
from ..cores import multiplied
from .rounding import BLOCK, by_power, ordered, permuted, sum_bounds, unpermuted

__all__ = ["descend"]

_SWEEPS = 3

_NEIGHBOURS = 1024
"""Weights that hear of a block when it is done; all others hear of so many at once, as one large matrix product."""

_AT_ONCE = 1 << 19
"""Slopes that are changed at once: what a core's cache holds."""

_FEW = 4
"""Rows move alone where they are at most this part of all."""


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
    final sum could then leave the accumulator. What moves within a block of weights reaches its neighbours as one
    matrix product, when the block is done, and all others as one when these are.

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
    metric, spans = permuted(metric, order), np.take_along_axis(spans, order[..., np.newaxis], axis=1)
    levels = ordered(start, order, group)
    deviation = levels * scale[:, np.newaxis] - ordered(target, order, group)
    slope = multiplied(deviation, metric[0]) if len(metric) == 1 else (deviation[:, np.newaxis] @ metric[group])[:, 0]
    del deviation
    bounds = sum_bounds(levels, spans, group)
    rows = np.arange(len(levels))
    moving = _Moving(levels, slope, scale, metric, group, fmt, spans, bounds, room)
    del slope
    for sweep in range(_SWEEPS):
        last = sweep == _SWEEPS - 1
        changed = moving.sweep(last=last)
        levels[rows] = moving.levels.T
        rows = rows[changed]
        if last or not rows.size:
            break
        moving.keep(changed)  # rows know nothing of each other: one that has come to rest stays there
    return unpermuted(levels, order, group)


class _Moving:
    """Rows that still move. Arrays have weights first, (K, R): what is done to a weight of all rows lies side by side.

    Levels and sums are whole numbers in float64, which holds them exactly.
    """

    def __init__(
        self,
        levels: NDArray[np.int64],
        slope: NDArray[np.floating],
        scale: NDArray[np.float64],
        metric: NDArray[np.float64],
        group: NDArray[np.int64],
        fmt: Format,
        spans: NDArray[np.int64],
        bounds: tuple[NDArray[np.int64], NDArray[np.int64]],
        room: tuple[NDArray[np.int64], NDArray[np.int64]],
    ) -> None:
        self.levels = np.ascontiguousarray(levels.T, dtype=np.float64)
        self._slope = np.ascontiguousarray(slope.T)
        self._scale, self._group = scale, group
        self._metric = metric[0] if len(metric) == 1 else metric.transpose(1, 2, 0)
        self._spans = spans.transpose(1, 2, 0).astype(np.float64)
        self._ends = float(fmt.bottom), float(fmt.top)
        first, nearest = nearest_table(fmt, fmt.bottom, fmt.top)
        self._first, self._nearest = float(first), nearest.astype(np.float64)
        self._bounds = np.array(bounds, dtype=np.float64)
        self._room = np.array([np.broadcast_to(end, len(levels)) for end in room], dtype=np.float64)
        self._is_bound = self._could_leave()

    def _could_leave(self) -> bool:
        """Whether any levels at all give sums beyond the room."""
        products = np.multiply.outer(self._ends, self._spans)
        least, most = (end.sum(axis=0) for end in (products.min(axis=(0, 2)), products.max(axis=(0, 2))))
        return bool((least[self._group] < self._room[0]).any() or (most[self._group] > self._room[1]).any())

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget all rows but some."""
        if rows.all():
            return
        self.levels, self._slope = self.levels[:, rows], self._slope[:, rows]
        self._scale, self._group = self._scale[rows], self._group[rows]
        self._bounds, self._room = self._bounds[:, rows], self._room[:, rows]

    def sweep(self, *, last: bool) -> NDArray[np.bool_]:
        """Move each weight once; which rows (R,) did. The ``last`` sweep leaves slopes of weights behind it."""
        count = len(self.levels)
        metric = self._metric if self._metric.ndim == 2 else self._metric[..., self._group]
        changed = np.zeros(self._scale.size, dtype=bool)
        for begin in range(0, count, _NEIGHBOURS):
            finish = min(begin + _NEIGHBOURS, count)
            before, rows = self.levels[begin:finish].copy(), np.zeros_like(changed)
            for first in range(begin, finish, BLOCK):
                end = min(first + BLOCK, finish)
                moved = self._block(first, end, metric, whole=count <= BLOCK)
                if moved is not None and count > BLOCK:
                    self._tell((first, end), *moved, slice(end if last else begin, finish))
                rows |= False if moved is None else moved[1]
            if count > _NEIGHBOURS and rows.any():
                steps = (self.levels[begin:finish] - before) * self._scale
                for others in (slice(finish, count), *(() if last else (slice(0, begin),))):
                    self._tell((begin, finish), steps, rows, others)
            changed |= rows
        return changed

    def _block(
        self, first: int, end: int, metric: NDArray[np.float64], *, whole: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
        """Move the weights of a block; how far (end - first, R), in real values, and which rows (R,); None: nothing.

        Slopes of a ``whole`` row's weights hear of each move at once, of others only those ahead within the block do.
        """
        near = self._slope[first:end] if whole else self._slope[first:end].copy()
        before, buffer = self.levels[first:end].copy(), np.empty_like(near)
        rows = np.zeros(self._scale.size, dtype=bool)
        for k in range(first, end):
            found = self._moves(k, near[k - first], metric[k, k])
            if found is None:
                continue
            steps, moving = found
            rows |= moving
            self.levels[k] += steps
            steps *= self._scale
            ahead = 0 if whole else k + 1 - first
            weights, told = metric[k, first + ahead : end], near[ahead:]
            if np.count_nonzero(moving) * _FEW < moving.size:
                some = np.flatnonzero(moving)
                told[:, some] += (weights[:, some] if weights.ndim == 2 else weights[:, np.newaxis]) * steps[some]
            else:
                weights = weights if weights.ndim == 2 else weights[:, np.newaxis]
                told += np.multiply(weights, steps, out=buffer[ahead:])
        if not rows.any():
            return None
        return (self.levels[first:end] - before) * self._scale, rows

    def _moves(
        self, k: int, slope: NDArray[np.float64], weigh: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
        """Levels (R,) that a weight moves by, and which rows (R,) that is; None: no row."""
        current = self.levels[k]
        wanted = np.subtract(current, slope / (weigh * self._scale))
        np.clip(wanted, *self._ends, out=wanted)
        wanted *= 2
        np.floor(wanted, out=wanted)
        wanted -= self._first
        wanted = self._nearest.take(wanted.astype(np.intp))
        steps = wanted - current
        moving = steps != 0
        if not moving.any():
            return None
        if self._is_bound:
            least, most = self._spans[k] if self._spans.shape[2] == 1 else self._spans[k][:, self._group]
            was, after = ((w * least, w * most) for w in (current, wanted))
            low = self._bounds[0] + np.minimum(*after) - np.minimum(*was)
            high = self._bounds[1] + np.maximum(*after) - np.maximum(*was)
            moving &= (low >= self._room[0]) & (high <= self._room[1])
            if not moving.any():
                return None
            steps *= moving
            self._bounds = np.where(moving, (low, high), self._bounds)
        return steps, moving

    def _tell(self, block: tuple[int, int], steps: NDArray[np.float64], rows: NDArray[np.bool_], others: slice) -> None:
        """Let the slopes of other weights hear how far those of a block moved, in which rows."""
        some = np.flatnonzero(rows)
        few = some.size * _FEW < rows.size
        if few:
            steps = steps[:, some]
        at_once = max(BLOCK, _AT_ONCE // rows.size)
        for begin in range(others.start, others.stop, at_once):
            part = slice(begin, min(begin + at_once, others.stop))
            told = multiplied(self._metric[slice(*block), part].T, steps)
            if few:
                self._slope[part, some] += told
            else:
                self._slope[part] += told
