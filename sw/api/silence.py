"""What frameworks' exporters say, kept from the terminal."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

__all__ = ["first_line", "silenced"]


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Without what exporters print, log and warn of their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def first_line(error: Exception) -> str:
    """The first line of an error, or its kind if it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
