"""Helpers: processes of this machine that run tasks, and end with whoever started them."""

from __future__ import annotations

import contextlib
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

from ..errors import NarrowsError
from .helper import LENGTH
from .parcel import Parcel

__all__ = ["Helpers", "NotWanted", "TaskDied"]

_LIVES = 3
"""Processes that a task may end before it is given up: it is the task that ends them."""

_LOOK_SECONDS = 0.1
_END_SECONDS = 10.0


class TaskDied(NarrowsError):
    """A task ended its process, again and again."""


class NotWanted(Exception):
    """Nobody waits for the task any more; its process has been ended."""


class _Broken(Exception):
    """A helper is gone."""


class Helpers:
    """Processes, each with a task at a time; started when there is none left over.

    Parameters
    ----------
    idle_seconds : float, optional
        How long one that has nothing to do is kept; until `close` without.
    """

    def __init__(self, idle_seconds: float | None = None) -> None:
        self._idle_seconds = idle_seconds
        self._idle: list[_Helper] = []
        self._lock = threading.Lock()

    def call(self, parcel: Parcel, job: bytes, wanted: Callable[[], bool]) -> bytes:
        """Run a task in a process of its own; several threads may call this at once.

        Parameters
        ----------
        parcel, job
            See `parcel`.
        wanted : callable
            Asked again and again; once it says no, the process is ended with all programs that it started.

        Returns
        -------
        bytes
            As `opened_answer` takes them.

        Raises
        ------
        NotWanted
            If it is not wanted any more.
        TaskDied
            If the process dies, and two others that run the task again.
        """
        status = 0
        for _ in range(_LIVES):
            helper = self._take(parcel.tokens[0])
            try:
                found = helper.call(parcel, job, wanted)
            except _Broken:
                status = helper.end()
                if not wanted():
                    raise NotWanted from None
            except BaseException:
                helper.end()
                raise
            else:
                self._give_back(helper)
                return found
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise TaskDied(f"a task ended its process {_LIVES} times ({how}): is there enough memory for it?")

    def close(self) -> None:
        """End the processes that have nothing to do."""
        with self._lock:
            idle, self._idle = self._idle, []
        for helper in idle:
            helper.end()

    def _take(self, modules: str) -> _Helper:
        with self._lock:
            for helper in self._idle:
                if helper.tokens[0] == modules:
                    break
            else:  # other modules stay with their processes
                helper = None
            if helper is not None:
                self._idle.remove(helper)
        if helper is None:
            return _Helper()
        if helper.timer is not None:
            helper.timer.cancel()
        return helper

    def _give_back(self, helper: _Helper) -> None:
        with self._lock:
            self._idle.append(helper)
            if self._idle_seconds is not None:
                helper.timer = threading.Timer(self._idle_seconds, self._let_go, (helper,))
                helper.timer.daemon = True
                helper.timer.start()

    def _let_go(self, helper: _Helper) -> None:
        with self._lock:
            if helper not in self._idle:
                return
            self._idle.remove(helper)
        helper.end()


class _Helper:
    """A process that runs one task after the other."""

    def __init__(self) -> None:
        self.tokens = "", ""
        self.timer: threading.Timer | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.helper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for whoever waits
        )

    def call(self, parcel: Parcel, job: bytes, wanted: Callable[[], bool]) -> bytes:
        """See `Helpers.call`."""
        modules = None if parcel.tokens[0] == self.tokens[0] else parcel.modules
        shared = None if parcel.tokens[1] == self.tokens[1] else parcel.shared
        message, self.tokens = pickle.dumps((modules, shared, job)), parcel.tokens
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        try:
            requests.write(len(message).to_bytes(LENGTH, "big") + message)
            requests.flush()
        except OSError:
            raise _Broken from None
        while not select.select([answers], [], [], _LOOK_SECONDS)[0]:
            if not wanted():
                raise NotWanted
        head = answers.read(LENGTH)
        length = int.from_bytes(head, "big")
        found = answers.read(length) if len(head) == LENGTH else b""
        if len(head) < LENGTH or len(found) < length:
            raise _Broken
        return found

    def end(self) -> int:
        """End the process with what it has started; its exit status."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            return self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()  # type: ignore[union-attr]
