"""GuardedWorker: a process that carries out one task after the other, whose memory may grow by 1 GiB."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["BAD", "GuardedWorker", "Judgement", "native_errors"]

_GROWTH = 1 << 30

BAD = ("FAULT", "MEMORY", "HANG", "DIED", "LEFT")
"""Verdicts of what must not happen."""

Judgement = tuple[str, str]
"""A verdict, and what was said."""


class GuardedWorker:
    """A process that judges one task after the other; the caller makes another one when it has died or hangs.

    Parameters
    ----------
    context : multiprocessing context
        That of ``fork``: the process begins with what this one has in memory.
    judge : callable
        From a task to what it came to.
    """

    def __init__(self, context: Any, judge: Callable[[Any], Judgement]) -> None:
        self.answers, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, judge), daemon=True)
        self.process.start()
        theirs.close()
        self.task: Any = None
        self.since = 0.0
        self.seconds = 0.0
        """Processor time of all tasks that it has given an answer to, its own processes' included."""
        self.lives = True

    def give(self, task: Any) -> None:
        """Begin a task."""
        self.task, self.since = task, time.monotonic()
        self.answers.send(task)

    def result(self) -> Judgement:
        """What the task came to, once `answers` can be read; DIED if the process has."""
        self.task = None
        try:
            verdict, said, seconds = self.answers.recv()
        except EOFError:
            self.end()
            return "DIED", f"exit code {self.process.exitcode}"
        self.seconds = seconds
        return verdict, said

    def overdue(self, seconds: float) -> Judgement | None:
        """End a task that has taken longer."""
        late = self.task is not None and time.monotonic() - self.since >= seconds
        return self.hung() if late else None

    def spent(self) -> float:
        """Processor time of the process so far, without that of its own processes."""
        with contextlib.suppress(OSError):
            return _seconds_of(self.process.pid)
        return 0.0

    def hung(self) -> Judgement:
        """End a task that takes too long."""
        self.end()
        return "HANG", f"more than {time.monotonic() - self.since:.0f} s"

    def end(self) -> None:
        """End the process, whatever it does."""
        self.lives = False
        self.process.kill()
        self.process.join()


def _serve(tasks: Connection, judge: Callable[[Any], Judgement]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _GROWTH, resource.RLIM_INFINITY))
    os.environ["COLUMNS"] = "80"
    while True:
        task = tasks.recv()
        tasks.send((*judge(task), _processor_seconds()))


def _processor_seconds() -> float:
    """Of this process, of those that it has waited for, and of those that it has still."""
    own, ended = os.times()[:2], os.times()[2:4]
    running = 0.0
    for thread in Path("/proc/self/task").iterdir():
        for child in (thread / "children").read_text().split():
            with contextlib.suppress(OSError):  # it has just ended
                running += _seconds_of(child)
    return sum(own) + sum(ended) + running


def _seconds_of(process: int | str) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def native_errors(path: Path) -> Iterator[None]:
    """What libraries write to the process's own standard error, past Python, goes to a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with path.open("wb") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
