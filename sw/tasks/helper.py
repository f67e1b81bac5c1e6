"""What runs in a helper: tasks that come on standard input, one after the other, until that ends.

    python -m narrows.sw.tasks.helper

Messages either way are eight bytes of length, big end first, and a pickle. When standard input ends, because whoever
started the helper is gone, say, a task that runs ends like on a request to stop (SIGTERM), and so do the programs that
it started.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

from ..processes import stoppable
from .parcel import answer, scratch, unpack, unpack_job

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
    with stoppable(), contextlib.ExitStack() as scratches:
        threading.Thread(target=_read, args=(requests, waiting), daemon=True).start()
        token, shared = "", None
        while (message := waiting.get()) is not None:
            wanted, data, job = pickle.loads(message)

            def call(wanted: str = wanted, data: bytes | None = data, job: bytes = job) -> Any:
                nonlocal token, shared
                if wanted != token:
                    assert data is not None
                    folder = Path(scratches.enter_context(scratch()))
                    paths, load = unpack(data, folder)
                    sys.path[:0] = map(str, paths)
                    shared, token = load(), wanted
                function, task = unpack_job(job)
                return function(shared, task)

            found = answer(call)
            answers.write(len(found).to_bytes(LENGTH, "big") + found)
            answers.flush()


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
