"""Which of the tests mapped to a module a mutant is run against: those that reach its line, cheap ones first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from narrows.sw.results import write_json
from narrows.sw.tasks import Workers, in_order

from .mutant_tasks import Tree, measure
from .mutation import Change

__all__ = ["Costs"]

_REST = 6
"""Times the seconds of a measure that a file may take which is longer."""


class Costs:
    """What tests take and reach, measured a file at a time when that is asked for first.

    Parameters
    ----------
    workers, tree, root
        Where tests run, and the sources.
    seconds : int
        Processor seconds for a file; tests behind these are not known. They are chosen, behind all others, where the
        file is the first that is mapped.
    kept : Path, optional
        Where this is kept for the next time; only files that changed since are measured then.
    say : callable
        Told what was measured.
    """

    def __init__(
        self, workers: Workers, tree: Tree, root: Path, seconds: int, kept: Path | None, say: Callable[[str], None]
    ) -> None:
        self._workers, self._tree, self._root, self._seconds = workers, tree, root, seconds
        self._kept, self._say = kept, say
        self._found: dict[str, dict[str, Any]] = (
            json.loads(kept.read_text()) if kept is not None and kept.exists() else {}
        )

    def _of(self, file: str) -> Mapping[str, Mapping[str, Any]]:
        digest = hashlib.sha256((self._root / file).read_bytes()).hexdigest()[:16]
        known = self._found.get(file, {})
        if known.get("digest") != digest or not (known["whole"] or known["seconds"] >= self._seconds):
            [(tests, whole)] = in_order(self._workers, measure, self._tree, [(file, self._seconds)])
            self._found[file] = {"digest": digest, "seconds": self._seconds, "whole": whole, "tests": tests}
            self._say(f"measured  {file}: {len(tests)} tests, {sum(each['seconds'] for each in tests.values()):.1f} s")
            write_json(self._kept, self._found)
        return self._found[file]["tests"]

    def chosen(
        self, module: str, change: Change, mapped: Sequence[str], seconds: float
    ) -> tuple[tuple[str, ...], float]:
        """Tests for a mutant, and the processor seconds that they take.

        Parameters
        ----------
        module, change
            The mutant.
        mapped : sequence of str
            Test files, or ``file::test``.
        seconds : float
            Tests are taken as long as they take no more than this together, but at least one.

        Notes
        -----
        Tests of the mirrored file come first. What is kept from one test to the next is reached by the first one alone:
        the other tests of a file follow behind those that are seen to reach the line. Where none is (the line runs when
        its module is imported, or in another process), all that are mapped may reach it.
        """
        known = {
            test: each
            for place in mapped
            for test, each in self._of(place.partition("::")[0]).items()
            if test.startswith(place)
        }
        if not known:
            return tuple(mapped), seconds
        span = sum(1 << line for line in range(change.line, change.last + 1))
        reaching = {test for test, each in known.items() if _reaches(each["lines"], module, span)}
        files = {test.partition("::")[0] for test in reaching or known}
        near = {test: each for test, each in known.items() if test.partition("::")[0] in files}

        def order(pair: tuple[str, Mapping[str, Any]]) -> tuple[bool, bool, float]:
            test, each = pair
            return test not in reaching, not test.startswith(mapped[0]), each["seconds"]

        taken, total = [], 0.0
        for test, each in sorted(near.items(), key=order):
            if taken and total + each["seconds"] > seconds:
                break
            taken.append(test)
            total += each["seconds"]
        first = mapped[0].partition("::")[0]
        if not self._found[first]["whole"]:
            return (*taken, mapped[0]), total + _REST * self._seconds
        return tuple(taken), total


def _reaches(lines: Mapping[str, str] | None, module: str, span: int) -> bool:
    return lines is None or bool(int(lines.get(module, "0x0"), 16) & span)
