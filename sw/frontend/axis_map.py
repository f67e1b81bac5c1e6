"""AxisMap: a linear map along one axis of an image, as taps at constant distances and exceptions near both ends.

Row i of a matrix says what output line i takes from the input's lines. Output lines come in phases: i is
``ways * o + v``, and from o to o + 1 the lines read move on by ``stride``. What differs near an end is the difference
from one o to the next, weighed by all outputs from there on: an inset keeps it from those before. The machine counts
the lines of insets, so exceptions reach no farther than that.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.isa import BORDER_MAX

__all__ = ["AxisMap", "Piece"]

_MOST_WAYS = 16
"""Phases tried: each makes the layer's output channels as many times more."""

_LARGEST = 1 << 22
"""Rows times phases times taps beyond which a stride is none that the matrix repeats at."""

_SAME = 1e-10
"""Differences of weights that are rounding."""


@dataclass(frozen=True)
class Piece:
    """Weights (ways, taps) of the lines from ``first`` on, relative to the output's own, seen within the insets."""

    first: int
    weights: NDArray[np.float64]
    insets: tuple[int, int]


@dataclass(frozen=True)
class AxisMap:
    """``outputs`` lines, in ``ways`` phases of ``count`` lines each, from ``size`` lines."""

    size: int
    outputs: int
    ways: int
    stride: int
    pieces: tuple[Piece, ...]

    @property
    def count(self) -> int:
        """Output lines of each phase."""
        return -(-self.outputs // self.ways)

    def pads(self, piece: Piece) -> tuple[int, int]:
        """Padding before and behind the input for a window over a piece's lines."""
        return -piece.first, (self.count - 1) * self.stride + piece.first + piece.weights.shape[1] - self.size

    @property
    def taps(self) -> int:
        """Lines read for each output line of each phase, all pieces together."""
        return sum(int(piece.weights.any(axis=0).sum()) for piece in self.pieces)

    @property
    def cost(self) -> int:
        """Taps times phases, as each phase reads those of all."""
        return self.ways * self.taps

    @staticmethod
    def of(matrix: NDArray[np.float64], *, plain: bool) -> AxisMap | None:
        """The map of least cost that gives ``matrix`` (outputs, size); None if the machine's borders are too narrow.

        Parameters
        ----------
        plain : bool
            Whether the output must have one phase.
        """
        maps = [
            found
            for ways in range(1, 2 if plain else min(len(matrix), _MOST_WAYS) + 1)
            for stride in _strides(matrix, ways)
            if (found := _fitted(matrix, ways, stride)) is not None
        ]
        return min(maps, key=lambda found: (found.cost, found.ways), default=None)


def _strides(matrix: NDArray[np.float64], ways: int) -> Iterator[int]:
    """Lines that the input may move on by in one period: about as many as the matrix's slope says."""
    slope = matrix.shape[1] * ways / len(matrix)
    yield from sorted({max(1, round(slope) + more) for more in (-1, 0, 1)})


def _fitted(matrix: NDArray[np.float64], ways: int, stride: int) -> AxisMap | None:
    outputs, size = matrix.shape
    count = -(-outputs // ways)
    row, line = np.nonzero(matrix)
    if not row.size:
        return None
    places = line - stride * (row // ways)
    first = int(places.min())
    taps = int(places.max()) - first + 1
    if count * ways * taps > _LARGEST:
        return None
    rows = np.zeros((count, ways, taps))
    rows[row // ways, row % ways, places - first] = matrix[row, line]
    read = np.arange(count)[:, np.newaxis] * stride + first + np.arange(taps)
    free = np.zeros(rows.shape, dtype=np.bool_) | ((read < 0) | (read >= size))[:, np.newaxis]
    free.reshape(count * ways, taps)[outputs:] = True
    rows = _filled(rows, free)
    middle = count // 2
    pieces = []
    base = rows[middle].copy()
    for at in itertools.chain(range(1, middle + 1), range(middle + 1, count)):
        ahead = at <= middle
        change = rows[at] - rows[at - 1] if ahead else rows[at - 1] - rows[at]
        change = np.where(np.abs(change) < _SAME, 0.0, change)
        if change.any():
            insets = (at, 0) if ahead else (0, count - at)
            if max(insets) > BORDER_MAX:
                return None
            pieces.append((change, insets))
            base -= change
    base = np.where(np.abs(base) < _SAME, 0.0, base)
    parts = [(base, (0, 0)), *pieces] if base.any() else pieces
    return AxisMap(size, outputs, ways, stride, tuple(_piece(first, weights, insets) for weights, insets in parts))


def _piece(first: int, weights: NDArray[np.float64], insets: tuple[int, int]) -> Piece:
    """A piece without the lines that it gives no weight at either end."""
    low, high = np.flatnonzero(weights.any(axis=0))[[0, -1]].tolist()
    return Piece(first + low, weights[:, low : high + 1], insets)


def _filled(rows: NDArray[np.float64], free: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Rows in which what reads padding, so may be anything, is what it is in the nearest row towards the middle."""
    given, rows, middle = rows, rows.copy(), len(rows) // 2
    order = np.abs(np.arange(len(rows)) - middle).argsort(kind="stable")
    for at in order[::-1]:  # the middle row itself takes what the nearest row knows
        rows[middle] = np.where(free[at], rows[middle], given[at])
    for at in [*range(middle - 1, -1, -1), *range(middle + 1, len(rows))]:
        rows[at] = np.where(free[at], rows[at + 1 if at < middle else at - 1], rows[at])
    return rows
