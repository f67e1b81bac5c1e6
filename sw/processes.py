"""Programs of others, run to their end: they and whatever they started end with whoever waits for them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Finished", "run_process", "started", "stoppable"]

_POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a program ended: exit status (negative: the signal), seconds, megabytes of memory at its largest."""

    returncode: int
    seconds: float
    megabytes: float


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Within the block a request to stop (SIGTERM) is an exception, SystemExit, as Ctrl-C is one: scratch files and
    started programs go. Where the signal has a handler already, and beside the main thread, nothing changes."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def started(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A program in a process group of its own; an exception in the block kills all of that group.

    A compiler that a build started would otherwise go on after Ctrl-C or a request to stop. ``options`` are those of
    `subprocess.Popen`.
    """
    with stoppable(), subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            yield process
        except BaseException:
            _kill(process)
            raise


def run_process(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    stdout: Any,
    env: Mapping[str, str] | None = None,
    tick: Callable[[], None] | None = None,
) -> Finished:
    """Run a program to its end, without standard input and with its errors in its output.

    Parameters
    ----------
    command : sequence of str or Path
    cwd : Path
        Where it runs.
    stdout : file
        Where its output goes; None: to ours.
    env : mapping, optional
        Its environment, in place of ours.
    tick : callable, optional
        Called again and again while the program runs; when it raises, the program is killed.
    """
    began = time.monotonic()
    stderr = None if stdout is None else subprocess.STDOUT
    with started(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr) as process:
        megabytes = _wait(process, tick)
    if tick is not None:
        tick()
    return Finished(returncode=process.returncode, seconds=time.monotonic() - began, megabytes=megabytes)


def _wait(process: subprocess.Popen[Any], tick: Callable[[], None] | None) -> float:
    if sys.platform == "win32":
        while process.poll() is None:
            if tick is not None:
                tick()
            time.sleep(_POLL_SECONDS)
        return 0.0
    while True:
        ended, status, usage = os.wait4(process.pid, 0 if tick is None else os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_maxrss / 1024
        if tick is not None:
            tick()
        time.sleep(_POLL_SECONDS)


def _kill(process: subprocess.Popen[Any]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
