"""A Dask scheduler with workers on this machine, each a process of its own, and what goes on in processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["Scheduler", "killed", "lives", "scheduler", "wait_until"]


class Scheduler:
    """A scheduler that runs; ``address`` is what clients take, ``workers`` are processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.workers: list[int] = []
        known = folder / "scheduler.json"
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-jupyter", "--scheduler-file", known)
        wait_until(lambda: known.exists() and known.read_text().rstrip().endswith("}"))
        self.address: str = json.loads(known.read_text())["address"]

    def worker(self, threads: int = 1) -> int:
        """Start a worker; its process."""
        arguments = ("--host", "127.0.0.1", "--nthreads", threads, "--no-nanny", "--death-timeout", 60)
        self.workers.append(self._start("dask_worker", self.address, *arguments, "--local-directory", self._folder))
        return self.workers[-1]

    def end(self) -> None:
        """End the scheduler and its workers."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def _start(self, program: str, *arguments: object) -> int:
        command = [sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard", *map(str, arguments)]
        with (self._folder / f"{len(self._processes)}.log").open("wb") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder))
        return self._processes[-1].pid


@contextlib.contextmanager
def scheduler(workers: int = 0) -> Iterator[Scheduler]:
    """A scheduler with so many workers of one thread."""
    with tempfile.TemporaryDirectory(prefix="narrows-dask-") as folder:
        found = Scheduler(Path(folder))
        try:
            for _ in range(workers):
                found.worker()
            yield found
        finally:
            found.end()


def lives(process: int) -> bool:
    """Whether a process runs; one that has ended and is not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait; an assertion fails if it takes longer than that."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it has not come true"
        time.sleep(0.02)


def killed(process: int) -> None:
    """End a process as nobody can answer."""
    os.kill(process, signal.SIGKILL)
