"""made_with: the versions that a page was made with, and the command that made it."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Any

from ..version import __version__

__all__ = ["made_with"]


def made_with(packages: Sequence[str], command: str | None) -> dict[str, Any]:
    """``versions`` of narrows, Python and those of some packages that are installed, and the ``command``."""
    versions = {"narrows": __version__, "Python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"versions": versions, "command": command}
