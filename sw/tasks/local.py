"""LocalProcesses: tasks in processes of this machine."""

from __future__ import annotations

import concurrent.futures as futures
import itertools
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from .helpers import Helpers
from .parcel import Parcel, opened_answer, pack_job

__all__ = ["LocalProcesses"]

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


class LocalProcesses:
    """Tasks in some processes at once.

    Parameters
    ----------
    count : int
    modules : sequence of Path
        As `open_workers` takes them.
    """

    serial = False

    def __init__(self, count: int, modules: Sequence[Path] = ()) -> None:
        self._count, self._modules, self._helpers = count, modules, Helpers()

    def run(self, function: Callable[[S, T], R], shared: S, tasks: Iterable[T]) -> Generator[tuple[int, R], None, None]:
        """See `Workers`."""
        parcel, stop = Parcel.of(shared, self._modules), threading.Event()
        jobs = ((number, pack_job(function, task)) for number, task in enumerate(tasks))
        running: dict[futures.Future[bytes], int] = {}
        with futures.ThreadPoolExecutor(self._count) as threads:

            def start(count: int) -> None:
                for number, job in itertools.islice(jobs, count):
                    running[threads.submit(self._helpers.call, parcel, job, lambda: not stop.is_set())] = number

            try:
                start(self._count)
                while running:
                    ended, _ = futures.wait(running, return_when=futures.FIRST_COMPLETED)
                    results = [(running.pop(future), future) for future in ended]
                    start(len(results))
                    for number, future in results:
                        yield number, opened_answer(future.result())
            finally:
                stop.set()

    def close(self) -> None:
        """End the processes."""
        self._helpers.close()
