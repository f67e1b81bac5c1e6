"""Grids: the values that a trained quantiser rounds to, and how it rounds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Grid", "Rounding"]


class Rounding(Enum):
    """How the arithmetic of a trained model comes to the integers of a grid; always to the nearest, but for ties.

    ``TWICE`` is that of TFLite's reference kernels: sums times a multiplicand of 31 bits are rounded to integers, ties
    up, and those divided by a power of two, ties away from 0. A ``MEAN`` does the same, its multiplicand divided by the
    number of values. Real values round ``AWAY`` then.
    """

    EVEN = "to the even integer"
    AWAY = "away from the real value 0"
    CODE_AWAY = "away from the integer 0"
    TWICE = "rounded twice"
    MEAN = "rounded twice, as a mean"
    UP = "to the larger integer"


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Values ``scale * (q - zero)`` of the integers q from ``low`` to ``high``: what a trained quantiser rounds to.

    A ``bipolar`` grid has q = -1 and 1 only, by sign (1 for 0). Grids of the same values are the same, whatever the
    ``rounding`` that leads there.
    """

    scale: float
    zero: int
    low: int
    high: int
    bipolar: bool = False
    rounding: Rounding = field(default=Rounding.EVEN, compare=False)

    def integers(self, values: ArrayLike) -> NDArray[np.int64]:
        """Integers q of real values, any shape."""
        q = np.asarray(values, dtype=np.float64) / self.scale + self.zero
        if self.bipolar:
            return np.where(q >= 0, 1, -1)
        q = np.clip(q, self.low, self.high)
        if self.rounding is Rounding.EVEN:
            return np.rint(q).astype(np.int64)
        if self.rounding is Rounding.UP:
            return np.floor(q + 0.5).astype(np.int64)
        centre = 0 if self.rounding is Rounding.CODE_AWAY else self.zero
        return (centre + np.copysign(np.floor(np.abs(q - centre) + 0.5), q - centre)).astype(np.int64)

    def round(self, values: ArrayLike) -> NDArray[np.float64]:
        """Real values after rounding, any shape."""
        return (self.integers(values) - self.zero).astype(np.float64) * self.scale

    def clipped(self, low: float, high: float) -> Grid | None:
        """The part of the grid between two real values (infinite: unbounded); None if one lies between its values."""
        ends = self.scale * (np.array((self.low, self.high)) - self.zero)
        bounds = np.maximum(low, ends[0]), np.minimum(high, ends[1])
        if not np.allclose(self.round(bounds), bounds, rtol=0, atol=1e-6 * self.scale):
            return None
        first, last = (int(q) for q in self.integers(bounds))
        return replace(self, low=first, high=last)
