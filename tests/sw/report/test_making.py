"""What a page was made with."""

from __future__ import annotations

import importlib.metadata
import platform

import narrows
from narrows.sw.report.making import made_with


def test_versions_of_what_is_installed() -> None:
    found = made_with(["numpy", "no-such-package"], "narrows report x.nrw")
    assert found == {
        "versions": {
            "narrows": narrows.__version__,
            "Python": platform.python_version(),
            "numpy": importlib.metadata.version("numpy"),
        },
        "command": "narrows report x.nrw",
    }
