"""Workers: what runs the tasks of long work; whoever has such work does not know which it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..errors import InputError

__all__ = ["HERE", "Workers", "in_order", "open_workers"]

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


class Workers(Protocol):
    """Runs tasks: one after the other here, in processes of this machine, or on a cluster."""

    @property
    def serial(self) -> bool:
        """Whether tasks run one after the other, so that nothing is gained by cutting work into more of them."""
        ...

    def run(self, function: Callable[[S, T], R], shared: S, tasks: Iterable[T]) -> Generator[tuple[int, R], None, None]:
        """Run ``function(shared, task)`` for every task.

        A task whose process or machine dies runs again. Where the iterator is closed before its end, because of an
        exception, say, tasks that run are ended, with the programs that they started.

        Parameters
        ----------
        function : callable
            Of a module that can be imported wherever tasks run; what it gives may depend on its arguments alone.
        shared : object
            What all tasks need. It travels once.
        tasks : iterable
            Taken as there are workers for them. Like ``shared`` and results they can be pickled.

        Yields
        ------
        number : int
            Place of a task among ``tasks``, in the order in which they end.
        result : object

        Raises
        ------
        NarrowsError
            If the cluster is gone, or a task ends its process again and again; else what a task raises.
        """
        ...


class _Here:
    """Tasks one after the other, in this process."""

    serial = True

    def run(self, function: Callable[[S, T], R], shared: S, tasks: Iterable[T]) -> Generator[tuple[int, R], None, None]:
        """See :class:`Workers`."""
        for number, task in enumerate(tasks):
            yield number, function(shared, task)


HERE: Workers = _Here()
"""This process."""


def in_order(
    workers: Workers,
    function: Callable[[S, T], R],
    shared: S,
    tasks: Sequence[T],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[R]:
    """What tasks give, in their order.

    Parameters
    ----------
    workers, function, shared, tasks
        As :meth:`Workers.run` takes them.
    progress : callable
        Called with (tasks done, tasks in all), at first and as they end.
    """
    found: dict[int, R] = {}
    progress(0, len(tasks))
    for number, result in workers.run(function, shared, tasks):
        found[number] = result
        progress(len(found), len(tasks))
    return [found[number] for number in range(len(tasks))]


@contextlib.contextmanager
def open_workers(cluster: str | None = None, jobs: int = 1, *, modules: Sequence[Path] = ()) -> Iterator[Workers]:
    """Workers for the length of a block; behind it nothing of theirs is left.

    Parameters
    ----------
    cluster : str, optional
        Address of a Dask scheduler, ``tcp://HOST:PORT``.
    jobs : int
        Without a cluster: processes of this machine; 1 is this process.
    modules : sequence of Path
        Folders of modules beside ``narrows`` that functions are of, in one common folder. They travel with the tasks.

    Raises
    ------
    InputError
        If both a cluster and processes are asked for.
    ToolMissing, ClusterError
        If the cluster's package is missing, the scheduler does not answer, it has no workers, or it or they have other
        versions.
    """
    if cluster is None and jobs == 1:
        yield HERE
        return
    if cluster is not None and jobs != 1:
        raise InputError("choose one of --cluster and --jobs: processes of this machine, or workers of a cluster")
    workers: Any
    if cluster is None:
        from .local import LocalProcesses

        workers = LocalProcesses(jobs, modules)
    else:
        from .dask_cluster import DaskCluster

        workers = DaskCluster(cluster, modules)
    try:
        yield workers
    finally:
        workers.close()
