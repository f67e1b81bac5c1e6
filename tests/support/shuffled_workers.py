"""Workers that end tasks in another order than they were given, each with copies of what it needs, as on a cluster."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from narrows.sw.tasks.parcel import pack_job, unpack_job

__all__ = ["ShuffledWorkers"]


@dataclass
class ShuffledWorkers:
    """Some tasks at once, which end in an order drawn by a seed; ``most`` tasks, then Ctrl-C."""

    seed: int = 0
    at_once: int = 3
    most: int | None = None
    serial: bool = False

    def run(self, function: Callable[..., Any], shared: Any, tasks: Iterable[Any]) -> Generator[tuple[int, Any]]:
        """See `narrows.sw.tasks.Workers`."""
        rng, waiting, content = np.random.default_rng(self.seed), enumerate(tasks), pickle.dumps(shared)
        running: list[tuple[int, bytes]] = []
        while True:
            for number, task in waiting:
                running.append((number, pack_job(function, task)))
                if len(running) == self.at_once:
                    break
            if not running:
                return
            number, job = running.pop(int(rng.integers(len(running))))
            call, task = unpack_job(job)
            if self.most is not None:
                self.most -= 1
                if self.most < 0:
                    raise KeyboardInterrupt
            yield number, pickle.loads(pickle.dumps(call(pickle.loads(content), task)))
