"""LevelTable: a function of integers that a layer's results are looked up in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.formats import Format
from ...hw.spec.tables import TABLE_TOP
from .checks import need

__all__ = ["LevelTable"]


@dataclass(frozen=True, kw_only=True)
class LevelTable:
    """A function of integers: ``levels`` of -127 to 127, shape (255,), are those of the output's format.

    ``zero``, ``low`` and ``high`` take the place of the output's for the integer that is looked up, within -127..127.
    """

    zero: int
    low: int
    high: int
    levels: NDArray[np.int64]

    @property
    def used(self) -> NDArray[np.int64]:
        """Levels within the clamp."""
        return self.levels[self.low + TABLE_TOP : self.high + TABLE_TOP + 1]

    def check(self, fmt: Format, where: str) -> None:
        """Refuse what no quantiser makes; raises as `layer.IntegerLayer.check` does. ``fmt`` is the output's."""
        bounds = (-TABLE_TOP, self.low, self.high, TABLE_TOP)
        need(all(a <= b for a, b in pairwise(bounds)), f"{where} has a table for {self.low} to {self.high}")
        need(-TABLE_TOP <= self.zero <= TABLE_TOP, f"{where} has a table with the zero {self.zero}")
        need(self.levels.shape == (2 * TABLE_TOP + 1,), f"{where} has a table of shape {self.levels.shape}")
        need(bool(np.isin(self.levels, fmt.levels).all()), f"{where} has a table of other levels")
