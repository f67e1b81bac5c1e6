"""Listener: who is told what goes on in long work, a terminal or a program that only wants to be warned."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol

__all__ = ["Listener", "NarrowsWarning", "Quiet"]


class NarrowsWarning(UserWarning):
    """Something that may be wrong with samples, a model or a result, and what to do."""


class Listener(Protocol):
    """Who is told."""

    def note(self, line: str) -> None:
        """Take a line on what was done or chosen."""
        ...

    def warn(self, line: str) -> None:
        """Take a line on what may be wrong."""
        ...

    def table(
        self, title: str, header: Iterable[str], rows: Iterable[Iterable[Any]], *, texts: Collection[str] = ()
    ) -> None:
        """Take a table; ``texts`` names the columns of words."""
        ...

    def progress(self, title: str) -> AbstractContextManager[Callable[..., None]]:
        """A block of long work: what it gives is called with (steps done, steps in all) and perhaps what they are."""
        ...


class Quiet:
    """Warnings are Python's own, notes go to the log ``narrows``; tables and progress are left to who has a screen."""

    def note(self, line: str) -> None:
        """See :class:`Listener`."""
        logging.getLogger("narrows").info(line)

    def warn(self, line: str) -> None:
        """See :class:`Listener`."""
        warnings.warn(line, NarrowsWarning, stacklevel=2)

    def table(
        self, title: str, header: Iterable[str], rows: Iterable[Iterable[Any]], *, texts: Collection[str] = ()
    ) -> None:
        """See :class:`Listener`."""

    def progress(self, title: str) -> AbstractContextManager[Callable[..., None]]:
        """See :class:`Listener`."""
        return contextlib.nullcontext(lambda *steps: None)
