"""Ring: places in a memory that is filled over and over again while a program runs."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

__all__ = ["Ring"]


@dataclass
class _Held:
    first: int
    end: int
    used: int


class Ring:
    """Neighbouring words for one thing after the other; a new one takes the place of those used longest ago.

    What was placed stays until something else needs its words, so a thing that comes back may still be there. What was
    used last stays as long as both fit, so that a thing can be filled in while the one before it is in use.

    Parameters
    ----------
    size : int
        Words.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._clock = 0
        self._held: dict[Hashable, _Held] = {}

    def place(self, key: Hashable, words: int) -> tuple[int, bool]:
        """First word of a thing of so many words, and whether it has to be loaded.

        Raises
        ------
        ValueError
            If it is larger than the memory.
        """
        if words > self._size:
            raise ValueError(f"{words} words do not fit a memory of {self._size}")
        self._clock += 1
        if key in self._held:
            self._held[key].used = self._clock
            return self._held[key].first, False
        places = {0, self._size - words}
        places |= {held.end for held in self._held.values() if held.end + words <= self._size}
        places |= {held.first - words for held in self._held.values() if held.first >= words}
        first = min(places, key=lambda first: self._cost(first, first + words))
        end = first + words
        self._held = {other: at for other, at in self._held.items() if at.first >= end or at.end <= first}
        self._held[key] = _Held(first, end, self._clock)
        return first, True

    def _cost(self, first: int, end: int) -> tuple[int, int, int]:
        """How recently what lies there was used, then how little room is left in one piece."""
        used = max((held.used for held in self._held.values() if held.first < end and held.end > first), default=0)
        return used, -max(first, self._size - end), first
