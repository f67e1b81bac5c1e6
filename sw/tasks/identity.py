"""identity: what tells an installation from others whose results may differ."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import platform
from pathlib import Path

import numpy as np

from ..version import __version__

__all__ = ["identity"]

_TREES = ("hw", "sw", "sim", "boards")
_FRONT = "package/"  # of a checkout; where it is installed it is `narrows` itself


@functools.cache
def identity() -> str:
    """Digest of every module of the distribution, of its version, and of Python's and numpy's."""
    found = hashlib.sha256(repr((__version__, platform.python_version_tuple()[:2], np.__version__)).encode())
    base = __name__.partition(".sw.")[0]
    for tree in _TREES:
        spec = importlib.util.find_spec(f"{base}.{tree}")
        assert spec is not None
        assert spec.submodule_search_locations
        root = Path(spec.submodule_search_locations[0])
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not name.startswith(_FRONT):
                found.update(f"{tree}/{name}\0".encode() + path.read_bytes())
    return found.hexdigest()
