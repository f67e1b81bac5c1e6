"""waves: signals over clock cycles as a timing diagram.

Drawn here: wavedrom, the library for it on PyPI, had its last release in 2022, and pictures that a test compares to the
byte must not depend on another package's version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from drawing import Drawing

__all__ = ["HEIGHT", "waves"]

HEIGHT = 24
"""Pixels from one signal to the next."""

_LEVEL = 8
_DIGIT = 6.6


def waves(
    drawing: Drawing,
    signals: Mapping[str, tuple[int, Sequence[int]]],
    *,
    left: float,
    top: float,
    cycle: float,
    clock: bool = True,
) -> None:
    """Draw signals below each other, each its width in bits and its value in each cycle.

    Parameters
    ----------
    left, top : float
        Where the first cycle of the first signal begins.
    cycle : float
        Pixels of a clock cycle.
    clock : bool
        Whether the clock and grey lines of its edges are drawn, too.
    """
    length = max(len(values) for _, values in signals.values())
    y = top + HEIGHT / 2
    if clock:
        high, low = y - _LEVEL, y + _LEVEL
        drawing.text(left - 8, y, "clk", anchor="end")
        points = [(left, low)]
        for number in range(length):
            x = left + number * cycle
            points += [(x, low), (x, high), (x + cycle / 2, high), (x + cycle / 2, low), (x + cycle, low)]
        drawing.path(points)
        y += HEIGHT
    for name, (width, values) in signals.items():
        drawing.text(left - 8, y, name, anchor="end")
        if width == 1:
            drawing.path(_bit(values, left, y, cycle))
        else:
            for begin, end, value in _stretches(values):
                x, size = left + begin * cycle, (end - begin) * cycle
                drawing.box(x, y - _LEVEL, size, 2 * _LEVEL, fill="#66ccee" if value else "#ffffff", faint=True)
                label = f"{value:X}" if value > 9 else str(value)
                if len(label) * _DIGIT <= size:
                    drawing.text(x + size / 2, y, label, anchor="middle", size=11)
        y += HEIGHT


def _bit(values: Sequence[int], left: float, y: float, cycle: float) -> list[tuple[float, float]]:
    points = []
    for begin, end, value in _stretches(values):
        height = y - _LEVEL if value else y + _LEVEL
        points += [(left + begin * cycle, height), (left + end * cycle, height)]
    return points


def _stretches(values: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Begin, end and value of each stretch of equal values."""
    begin = 0
    for value, group in groupby(values):
        end = begin + len(list(group))
        yield begin, end, value
        begin = end
