"""Work on the cores of a machine: one thread of linear algebra for all that is small; rows, or calls, shared out.

A library's own threads spin while they wait for each other: with many small products they take several times the
processor time of one. How many there are also decides in which order it adds up, and with that the last bits of what
it gives. Here neither depends on how many cores there are.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .extras import need

__all__ = ["multiplied", "on_all_cores", "one_thread"]

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")

_LARGE = 1 << 28
"""Multiplications from which on a product is shared out."""

_ROWS = 512
"""Rows of a part, however many cores there are: with that bits are the same on all machines of a kind."""


@contextlib.contextmanager
def one_thread(*, exact: bool = False) -> Iterator[None]:
    """Linear algebra with one thread, in the whole process, until the block is left.

    Parameters
    ----------
    exact : bool
        Whether all results are, in any order: then an installation without the package that does so only takes longer.

    Raises
    ------
    ToolMissing
        If the package is not installed.
    """
    if exact and importlib.util.find_spec("threadpoolctl") is None:
        yield
        return
    need("threadpoolctl", "threads of linear algebra", "generator")
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def multiplied(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.floating]:
    """``first @ second`` of matrices (M, K) and (K, N); a large one on all cores that the process may use."""
    rows = len(first)
    if rows <= _ROWS or rows * second.size < _LARGE:
        return first @ second
    result = np.empty((rows, second.shape[1]), np.result_type(first, second))

    def part(begin: int) -> None:
        np.matmul(first[begin : begin + _ROWS], second, out=result[begin : begin + _ROWS])

    on_all_cores(part, range(0, rows, _ROWS))
    return result


def on_all_cores(function: Callable[[_Argument], _Result], arguments: Iterable[_Argument]) -> list[_Result]:
    """Results of a function that spends its time outside of Python, as most of numpy does; as many threads as cores."""
    arguments = list(arguments)
    if len(arguments) < 2:
        return [function(argument) for argument in arguments]
    with ThreadPoolExecutor(min(_cores(), len(arguments))) as pool:
        return list(pool.map(function, arguments))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
