"""Tables of a program under construction: append-only memories that share equal runs and say what does not fit."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from .shortages import Shortages

__all__ = ["Blank", "Table"]

Row = TypeVar("Row", bound=Hashable)


@dataclass(frozen=True)
class Blank:
    """A run of rows of which only the number is known yet; runs of one ``key`` are the same, of others different."""

    key: Hashable
    count: int

    def __len__(self) -> int:
        return self.count


class Table(Generic[Row]):
    """Rows of one memory; equal runs of rows are stored once.

    Parameters
    ----------
    what : str
        Name of the rows in messages.
    parameter : str
        Parameter of the configuration that sets the memory's capacity.
    """

    def __init__(self, what: str, parameter: str) -> None:
        self.what = what
        self.parameter = parameter
        self.rows: list[Row] = []
        self._blanks: dict[Blank, int] = {}
        self._blank_rows = 0
        self._places: dict[Row, list[int]] = {}
        self._marks: list[tuple[str, int]] = []

    def __len__(self) -> int:
        return len(self.rows) + self._blank_rows

    def place(self, run: Sequence[Row] | Blank) -> int:
        """Index at which the rows of ``run`` lie one after the other, appended if they do not yet."""
        if isinstance(run, Blank):
            if run not in self._blanks:
                self._blanks[run] = len(self)
                self._blank_rows += run.count
            return self._blanks[run]
        for index in self._places.get(run[0], ()):
            if index + len(run) <= len(self.rows) and all(self.rows[index + k] == row for k, row in enumerate(run)):
                return index
        return self.append(run)

    def append(self, run: Sequence[Row]) -> int:
        """Index of the rows of ``run``, appended in any case."""
        start = len(self.rows)
        for index, row in enumerate(run, start):
            self._places.setdefault(row, []).append(index)
        self.rows.extend(run)
        return start

    def mark(self, layer: str) -> None:
        """Note that a layer's rows are all in."""
        self._marks.append((layer, len(self)))

    def layer_of(self, index: int) -> str:
        """Layer that brought a row in."""
        return next(layer for layer, used in self._marks if index < used)

    def check(self, shortages: Shortages) -> None:
        """See whether everything fits."""
        for layer, used in self._marks:
            shortages.need(self.parameter, self.what, used, layer)

    def words(self, beats: int) -> NDArray[np.uint32]:
        """Rows of bytes or of beats as an array of shape (n, beats); all are 0 if some are blank."""
        if self._blank_rows:
            return np.zeros((len(self), beats), dtype=np.uint32)
        if self.rows and isinstance(self.rows[0], bytes):
            return np.frombuffer(b"".join(self.rows), dtype=np.uint32).reshape(-1, beats).copy()  # pyright: ignore
        return np.array(self.rows, dtype=np.uint32).reshape(-1, beats)
