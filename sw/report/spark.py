"""spark: a small histogram of a tensor's levels, as SVG text for a cell of a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import ALERT, GRID, MAIN, MUTED
from .spread import Spread

__all__ = ["spark"]

_WIDTH, _HEIGHT, _MOST = 144, 26, 32


def spark(spread: Spread) -> str:
    """One bar for each level, or for as many next to each other as leave 32 bars.

    The bar of zero is grey and does not set the height. An end at which values are clipped is orange.
    """
    counts = spread.counts
    group = -(-len(counts) // _MOST)
    bars = np.add.reduceat(counts, np.arange(0, len(counts), group))
    zero = int(np.searchsorted(spread.levels, spread.tensor.zero)) // group
    top = _tallest(bars, zero)
    step = _WIDTH / len(bars)
    ends = ({0} if spread.below else set()) | ({len(bars) - 1} if spread.above else set())
    drawn = [
        f'<rect x="{number * step:.2f}" y="{_HEIGHT - height:.2f}" width="{0.86 * step:.2f}" height="{height:.2f}" '
        f'fill="{ALERT if number in ends else MUTED if number == zero else MAIN}"/>'
        for number, count in enumerate(bars)
        if (height := _HEIGHT * min(1.0, count / top))
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="spark" viewBox="0 0 {_WIDTH} {_HEIGHT + 1}" '
        f'preserveAspectRatio="none" aria-hidden="true"><path d="M0 {_HEIGHT + 0.5}H{_WIDTH}" stroke="{GRID}"/>'
        f"{''.join(drawn)}</svg>"
    )


def _tallest(bars: NDArray[np.int64], zero: int) -> int:
    """Values of the longest bar but zero's; of that where there is no other."""
    others = np.delete(bars, zero)
    return int(others.max(initial=0)) or int(bars.max(initial=0)) or 1
