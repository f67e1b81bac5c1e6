"""The root of all errors that are meant for users, and what they say of misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["NarrowsError", "among"]


class NarrowsError(Exception):
    """Base of every error that a user can cause and cure."""


def among(name: object, what: str, known: Iterable[str]) -> str:
    """What there is instead of an unknown name, the likeliest first.

    Examples
    --------
    >>> from narrows.hw.spec.errors import among
    >>> among("smal", "presets", ["tiny", "small"])
    'did you mean small? The presets are tiny, small'
    >>> among("huge", "presets", ["tiny", "small"])
    'the presets are tiny, small'
    """
    known = list(known)
    near = difflib.get_close_matches(str(name).lower(), known, n=2)
    listing = f"he {what} are {', '.join(known)}"
    return f"did you mean {' or '.join(near)}? T{listing}" if near else f"t{listing}"
