"""Ring: places in a memory that is filled over and over again while a program runs."""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["Ring"]


class Ring:
    """Neighbouring words for one thing after the other, round and round.

    What was placed stays until something else needs its words, so a thing that comes back may still be there.

    Parameters
    ----------
    size : int
        Words.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._next = 0
        self._held: dict[Hashable, tuple[int, int]] = {}

    def place(self, key: Hashable, words: int) -> tuple[int, bool]:
        """First word of a thing of so many words, and whether it has to be loaded.

        Raises
        ------
        ValueError
            If it is larger than the memory.
        """
        if words > self._size:
            raise ValueError(f"{words} words do not fit a memory of {self._size}")
        if key in self._held:
            return self._held[key][0], False
        first = self._next if self._next + words <= self._size else 0
        end = first + words
        self._held = {other: at for other, at in self._held.items() if at[0] >= end or at[1] <= first}
        self._held[key] = first, end
        self._next = end
        return first, True
