"""DaskCluster: tasks on the workers of a Dask scheduler, on whatever machines they are.

A worker runs each task in a helper, a process beside it, which is ended once nobody waits for the task any more: Dask
itself cannot stop what runs. Should a worker die, its helpers end too, and Dask gives its tasks to others.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import secrets
import socket
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ..errors import NarrowsError
from ..extras import need
from .helpers import Helpers
from .identity import identity
from .parcel import Parcel, opened_answer, pack_job

__all__ = ["ClusterError", "DaskCluster"]

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")

_ADDRESS = re.compile(r"(tcp|tls)://(\[[^]]+\]|[^:/\[\]]+):(\d+)")
_PATIENCE_SECONDS = 15.0
_IDLE_SECONDS = 10.0
"""For which a worker keeps a helper that has nothing to do."""

_LONGEST_GREETING = 1 << 20

_AHEAD = 2
"""Tasks for each thread of the cluster that are given out before they can begin."""

_SAME = {"python": "Python", "narrows": "narrows", "numpy": "numpy", "distributed": "Dask"}
"""Packages whose versions have to be the same everywhere."""


_HELPERS = Helpers(_IDLE_SECONDS)
"""Those of a worker."""


class ClusterError(NarrowsError):
    """A cluster that cannot be reached, has no workers, has other versions, or is gone."""


class DaskCluster:
    """Tasks on a cluster.

    Parameters
    ----------
    address : str
        Of the scheduler: ``tcp://HOST:PORT``.
    modules : sequence of Path
        As `open_workers` takes them.

    Raises
    ------
    ToolMissing, ClusterError
        As `open_workers` says.
    """

    serial = False

    def __init__(self, address: str, modules: Sequence[Path] = ()) -> None:
        need("distributed", "tasks on a cluster", "cluster")
        self._address, self._modules = address, modules
        with contextlib.ExitStack() as undone:
            undone.enter_context(_silent_log())
            self._client = _connected(address)
            undone.callback(self._leave)
            self._check()
            self._left = undone.pop_all()

    def run(self, function: Callable[[S, T], R], shared: S, tasks: Iterable[T]) -> Generator[tuple[int, R], None, None]:
        """See `Workers`."""
        import dask.config
        from distributed import as_completed

        client, parcel, run = self._client, Parcel.of(shared, self._modules), secrets.token_hex(8)
        jobs = ((number, pack_job(function, task)) for number, task in enumerate(tasks))
        running: dict[Any, int] = {}
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            # a task of its own, not data of a worker's: with that worker it would be lost
            carried = client.submit(_carried, parcel, key=f"narrows-shared-{run}", pure=False)
            ended = as_completed(loop=client.loop)

            def start() -> None:
                with self._gone():
                    count = _AHEAD * sum(client.nthreads().values()) + 1 - len(running)
                for number, job in itertools.islice(jobs, max(count, 0)):
                    key = f"narrows-{run}-{number}"
                    with self._gone():
                        future = client.submit(_task, identity(), carried, job, key=key, priority=-number, pure=False)
                        ended.add(future)
                    running[future] = number

            try:
                start()
                while running:
                    with self._gone():
                        future = next(ended)
                        number, found = running.pop(future), future.result()
                        future.release()
                    start()
                    yield number, opened_answer(found)
            finally:
                with contextlib.suppress(Exception):  # of a scheduler that is gone
                    client.cancel([*running, carried])

    def close(self) -> None:
        """Leave the cluster."""
        self._left.close()

    def _leave(self) -> None:
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)

    @contextlib.contextmanager
    def _gone(self) -> Iterator[None]:
        """Within the block what Dask says of a cluster that is not what it was is said in a line."""
        from distributed import KilledWorker

        try:
            yield
        except NarrowsError:
            raise
        except KilledWorker as error:
            raise ClusterError(
                f"a task ended {error.allowed_failures + 1} workers of the cluster at {self._address}, the last "
                f"at {error.last_worker.address}: is there enough memory for it?"
            ) from None
        except ImportError as error:
            raise ClusterError(
                f"a worker of the cluster at {self._address} cannot import what it needs: {error}"
            ) from None
        except Exception as error:
            what = str(error) or type(error).__name__
            raise ClusterError(f"the cluster at {self._address} does not answer any more: {what}") from None

    def _check(self) -> None:
        """Raise ClusterError if there are no workers, or other versions."""
        with self._gone():
            if not _has_workers(self._client):
                raise ClusterError(
                    f"the scheduler at {self._address} has no workers: start some with `dask worker {self._address}`"
                )
            found = self._client.get_versions(packages=["narrows"])
        places = {f"the scheduler at {self._address}": found["scheduler"]}
        places |= {f"the worker at {address}": versions for address, versions in found["workers"].items()}
        for place, versions in places.items():
            for package, title in _SAME.items():
                ours, theirs = (_version(one, package) for one in (found["client"], versions))
                if ours != theirs:
                    has = f"{title} {theirs}" if theirs else f"no {title}"
                    raise ClusterError(f"{place} has {has}, here is {title} {ours}: both must be the same")


def _connected(address: str) -> Any:
    """A client of a scheduler."""
    from distributed import Client

    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ClusterError(f"--cluster must be a scheduler's address such as tcp://192.168.1.5:8786, not {address!r}")
    try:
        _greeted(match[1], match[2].strip("[]"), int(match[3]))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ClusterError(f"no Dask scheduler answers at {address}: {reason}") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of versions, which are compared here
        try:
            return Client(address, timeout=_PATIENCE_SECONDS, set_as_default=False, name="narrows")
        except Exception as error:
            what = " ".join(str(error).split()) or type(error).__name__
            raise ClusterError(f"no Dask scheduler answers at {address}: {what}") from None


def _greeted(protocol: str, host: str, port: int) -> None:
    """Raise OSError if nobody takes a connection, or says what a scheduler begins with: eight bytes that are the length
    of a short message. Dask's own client would wait for that without an end."""
    with socket.create_connection((host, port), timeout=_PATIENCE_SECONDS) as line:
        if protocol == "tcp":
            with line.makefile("rb") as answers:
                head = answers.read(8)
            if not 0 < int.from_bytes(head, "little") < _LONGEST_GREETING:
                raise OSError("what answers is something else")


def _has_workers(client: Any) -> bool:
    with contextlib.suppress(TimeoutError):
        client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
    return bool(client.nthreads())


def _version(versions: Any, package: str) -> str:
    """A version as it must be the same; of Python the first two numbers."""
    found = versions["packages"].get(package) or ""
    return ".".join(found.split(".")[:2]) if package == "python" else found


@contextlib.contextmanager
def _silent_log() -> Iterator[None]:
    """Dask's own lines are left out: what matters of them is raised."""
    logs = [logging.getLogger(name) for name in ("distributed", "distributed.client", "distributed.core")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def _carried(parcel: Parcel) -> Parcel:
    """What all tasks of a run need, on a worker."""
    return parcel


def _task(client: str, parcel: Parcel, job: bytes) -> bytes:
    """A task on a worker, of a client with this identity; as `opened_answer` takes it."""
    from distributed import get_worker

    worker = get_worker()
    if identity() != client:
        raise ClusterError(f"the worker at {worker.address} has other modules of narrows than this installation")
    key = worker.get_current_task()

    def wanted() -> bool:
        state = worker.state.tasks.get(key)
        return state is not None and state.state != "cancelled"

    return _HELPERS.call(parcel, job, wanted)
