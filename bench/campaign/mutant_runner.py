"""Runs tests, each time in a fork of a process that has imported what they take from others, and nothing of ours.

    python mutant_runner.py numpy onnx ...

Requests are lines of JSON, ``[tests, seconds, measured]``; so are answers, what ended them. ``measured`` names a file
for what `meter.Meter` writes, or is null. Importing test runner, numpy,
Amaranth and onnx takes longer than most tests do until one of them fails.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

__all__ = ["main", "verdict"]

_OPTIONS = (
    *("-x", "-q", "--tb=no", "-rfE", "--no-header", "--hypothesis-seed=0", "--basetemp=tmp"),
    *("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:nbmake"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of what was imported before
)
_MEMORY = 6 << 30
_WALL = 10
"""Seconds of wall clock that tests may take for each second of processor time: other work may have the processors."""

_POLL_SECONDS = 0.02
_GRACE_SECONDS = 5.0


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for package in sys.argv[1:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(package)
    for line in sys.stdin:
        json.dump(_run(*json.loads(line), answers), answers)
        answers.write("\n")
        answers.flush()


def _run(tests: Sequence[str], seconds: int, measured: str | None, answers: TextIO) -> str:
    said = Path("tests-said.txt")
    child = os.fork()
    if child == 0:
        try:
            answers.close()
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
            resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
            output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            import pytest
            from meter import Meter  # of the folder that this program lies in

            plugins = [Meter(Path(measured))] if measured else []
            status = int(pytest.main([*_OPTIONS, *tests], plugins=plugins))
            sys.stdout.flush()
            os._exit(status)
        except BaseException:
            traceback.print_exc()
            os._exit(3)
    status = _ended(child, _WALL * seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what tests left running
    return verdict(status, said.read_text(errors="replace") if said.exists() else "")


def _ended(child: int, seconds: float) -> int:
    """Exit status of a process, negative for a signal; it is ended if it takes longer, or if nobody waits any more."""
    parent, end = os.getppid(), time.monotonic() + seconds
    for number in (signal.SIGTERM, signal.SIGKILL):  # at the first, tests end programs that they started
        while time.monotonic() < end and os.getppid() == parent:
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status) if number == signal.SIGTERM else -signal.SIGXCPU
            time.sleep(_POLL_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, number)
        parent, end = os.getppid(), time.monotonic() + _GRACE_SECONDS
    os.waitpid(child, 0)
    return -signal.SIGXCPU


def verdict(status: int, said: str) -> str:
    """What ended a run of tests: the one that failed, ``hang``, or why none began; empty if all passed."""
    if status == 0:
        return ""
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return "hang"
    for line in said.splitlines():
        kind, _, rest = line.partition(" ")
        if kind in ("FAILED", "ERROR") and rest.startswith("tests/"):
            return rest.partition(" - ")[0].strip()
    if "while loading conftest" in said:
        return "conftest"
    last = said.strip().splitlines()[-1:] or [""]
    return f"exit status {status}: {last[0][:200]}"


if __name__ == "__main__":
    main()
