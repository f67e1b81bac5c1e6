"""kept_heap: arrays that come again cost no page faults within the block, and their memory goes back behind it."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from narrows.sw.heap import kept_heap

gnu = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of the GNU C library")

_MEGABYTES = 64
_PAGES = _MEGABYTES << 20 >> 12


def faults_of_arrays() -> int:
    """Page faults of as many arrays as together hold so many megabytes, which go again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(1 << 17) for _ in range(_MEGABYTES)]
    del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@gnu
def test_arrays_that_come_again_cost_no_page_faults() -> None:
    with kept_heap():
        faults_of_arrays()
        assert faults_of_arrays() < _PAGES // 10


@gnu
def test_memory_goes_back_behind_the_block() -> None:
    code = (
        "import numpy as np; from pathlib import Path; from narrows.sw.heap import kept_heap\n"
        "def resident(): return int(Path('/proc/self/statm').read_text().split()[1])\n"
        "before = resident()\n"
        "with kept_heap():\n"
        "    arrays = [np.ones(1 << 17) for _ in range(64)]\n"
        "    del arrays\n"
        "    within = resident()\n"
        "print(within - before, resident() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    within, behind = map(int, done.stdout.split())
    assert within > _PAGES * 9 // 10 and behind < _PAGES // 10


def test_elsewhere_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", None)
    with kept_heap():
        assert faults_of_arrays() >= 0
