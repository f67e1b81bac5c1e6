"""need, need_torch: packages that only some installations have."""

from __future__ import annotations

import importlib.util

from .errors import ToolMissing

__all__ = ["need", "need_torch"]


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


def need_torch(what: str) -> None:
    """ToolMissing, with the command that installs it, if torch is not there; ``what`` is how its message begins."""
    if importlib.util.find_spec("torch") is None:
        raise ToolMissing(
            f"{what} torch: pip install 'narrows[train]' (without a GPU, add --extra-index-url "
            "https://download.pytorch.org/whl/cpu for a download of a tenth of the size)"
        )
