"""QuantisedTensor: a tensor of levels between integer layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.formats import Format

__all__ = ["QuantisedTensor"]


@dataclass(frozen=True, kw_only=True)
class QuantisedTensor:
    """A tensor of levels: real value = ``scale * (level - zero)``.

    ``low`` and ``high`` are the clamp of the layer that writes it; all of ``zero``, ``low``, ``high`` are levels of
    ``format``.
    """

    name: str
    shape: tuple[int, int, int]
    format: Format
    scale: float
    zero: int
    low: int
    high: int

    @property
    def span(self) -> tuple[int, int]:
        """Range (lo, hi) a consumer may assume: it holds 0, the zero level and the clamp."""
        return min(0, self.zero, self.low), max(0, self.zero, self.high)

    @property
    def levels(self) -> NDArray[np.int64]:
        """Levels of the format within the span, in increasing order."""
        low, high = self.span
        levels = self.format.levels
        return levels[(levels >= low) & (levels <= high)]
