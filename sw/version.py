"""The version of the distribution: in pyproject.toml, which installations carry as metadata."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

__all__ = ["__version__"]


def _version() -> str:
    source = Path(__file__).parents[1] / "pyproject.toml"  # of a checkout, whose metadata may be older
    if source.is_file():
        return tomllib.loads(source.read_text(encoding="utf-8"))["project"]["version"]
    return importlib.metadata.version("narrows")


__version__ = _version()
