"""need: packages that only some installations have."""

from __future__ import annotations

import importlib.util

from .errors import ToolMissing

__all__ = ["need"]


def need(package: str, what: str, extra: str) -> None:
    """Go on if a package is installed.

    Parameters
    ----------
    package : str
        As it is imported.
    what : str
        What it is needed for, a plural.
    extra : str
        The extra of this distribution that brings it.

    Raises
    ------
    ToolMissing
        If it is not; the message is the command that installs it.
    """
    if importlib.util.find_spec(package) is None:
        raise ToolMissing(f"{what} need the package {package}: pip install 'narrows[{extra}]'")
