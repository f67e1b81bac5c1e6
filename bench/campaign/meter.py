"""A plugin of pytest: what each test takes, and which lines of ours it reaches."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Meter"]

_TREES = ("hw", "sw", "sim")
_UNTRACED = ("tests/hw/", "tests/formal/")
_TRACED = ("tests/hw/spec/",)
"""Tests of hardware reach all of what they elaborate, and their simulations would take three times as long."""


class Meter:
    """Writes a line of JSON for each test: its id, processor seconds, and by file the lines reached, as a hexadecimal
    number with a bit for each.

    Lines are missing where the package ``coverage`` is, and for tests of hardware.

    Parameters
    ----------
    file : Path
        Written anew.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._root = file, Path.cwd().resolve()
        file.write_text("")
        try:
            from coverage import Coverage
        except ImportError:
            self._coverage: Any = None
            return
        self._coverage = Coverage(data_file=None, include=[f"{self._root}/{tree}/*" for tree in _TREES])
        self._coverage.set_option("run:disable_warnings", ["no-data-collected"])  # a test may reach no line of ours

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """A test from its fixtures to their end."""
        name = item.nodeid
        traced = self._coverage is not None and (name.startswith(_TRACED) or not name.startswith(_UNTRACED))
        if traced:
            self._coverage.erase()
            self._coverage.start()
        began = time.process_time()
        yield
        seconds = time.process_time() - began
        lines = None
        if traced:
            self._coverage.stop()
            found = self._coverage.get_data()
            lines = {
                Path(file).relative_to(self._root).as_posix(): hex(sum(1 << line for line in found.lines(file) or ()))
                for file in found.measured_files()
                if found.lines(file)
            }
        with self._file.open("a") as file:
            file.write(json.dumps({"test": name, "seconds": round(seconds, 3), "lines": lines}) + "\n")
