"""What runs in a helper: tasks that come on standard input, one after the other, until that ends.

    python -m narrows.sw.tasks.helper

Messages either way are eight bytes of length, big end first, and a pickle. When standard input ends, because whoever
started the helper is gone, say, a task that runs ends like on a request to stop (SIGTERM), and so do the programs that
it started.
"""

from __future__ import annotations

import functools
import os
import pickle
import queue
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

from ..processes import stoppable
from .parcel import answer, lay_down, unpack_job

__all__ = ["LENGTH", "main"]

LENGTH = 8
"""Bytes before a message."""

_LEAVE_SECONDS = 0.2

_GRACE_SECONDS = 5.0
"""For a task that is asked to stop, as long as it is in other code than Python's."""


def main() -> None:
    """Serve."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what tasks print must not get between answers
    waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    with stoppable(), tempfile.TemporaryDirectory(prefix="narrows-task-") as folder:
        threading.Thread(target=_read, args=(requests, waiting), daemon=True).start()
        kept = _Kept(Path(folder))
        while (message := waiting.get()) is not None:
            found = answer(functools.partial(kept.call, *pickle.loads(message)))
            answers.write(len(found).to_bytes(LENGTH, "big") + found)
            answers.flush()


class _Kept:
    """What stays from one task to the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shared: Any = None

    def call(self, modules: bytes | None, shared: bytes | None, job: bytes) -> Any:
        """Run a task; what is None is as it was for the one before."""
        if modules is not None:
            sys.path[:0] = map(str, lay_down(modules, self._folder))
        if shared is not None:
            self._shared = pickle.loads(shared)
        function, task = unpack_job(job)
        return function(self._shared, task)


def _read(requests: BinaryIO, waiting: queue.SimpleQueue[bytes | None]) -> None:
    while len(head := requests.read(LENGTH)) == LENGTH:
        waiting.put(requests.read(int.from_bytes(head, "big")))
    waiting.put(None)
    time.sleep(_LEAVE_SECONDS)  # where nothing runs, that was enough
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
