"""RouterWatch: whether nextpnr's router still gets anywhere with wires that are used twice, or too slow."""

from __future__ import annotations

import re
from pathlib import Path

from ..sw.errors import NarrowsError

__all__ = ["PATIENCE", "RouterCircles", "RouterWatch"]

PATIENCE = 40
"""Rounds without a better one after which a router circles: where it met a clock, there were never 20 in a row."""

_ROUND = re.compile(r"iter=\d+ wires=\d+ overused=(\d+) overuse=\d+ (?:tmgfail=(\d+) )?")
_TICKS = 40  # between two looks at a log


class RouterCircles(NarrowsError):
    """The router frees and routes the same wires again and again."""


class RouterWatch:
    """To be called while nextpnr writes a log.

    Parameters
    ----------
    log : Path
        What ``--log`` names; it may not be there yet.
    patience : int
        See below.

    Raises
    ------
    RouterCircles
        When called, once so many rounds have not left fewer wires too slow or used twice than there were before.
    """

    def __init__(self, log: Path, patience: int = PATIENCE) -> None:
        self._log, self._read, self._ticks = log, 0, 0
        self._patience = patience
        self._rest = ""
        self._least: int | None = None
        self._rounds = 0  # since there were so few

    def __call__(self) -> None:
        """Look at the log now and then."""
        self._ticks += 1
        if self._ticks % _TICKS == 1 and self._log.exists():
            self._look()

    def _look(self) -> None:
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._read)
            text = self._rest + log.read()
            self._read = log.tell()
        *lines, self._rest = text.split("\n")
        for line in lines:
            found = _ROUND.search(line)
            if found is None:
                continue
            bad = int(found[1]) + int(found[2] or 0)
            if self._least is None or bad < self._least:
                self._least, self._rounds = bad, 0
            else:
                self._rounds += 1
            if self._rounds >= self._patience:
                raise RouterCircles(f"{self._least} wires stay used twice or too slow")
