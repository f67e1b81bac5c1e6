"""Transport: how 32-bit words reach a core, whether it is a model, a simulated core or a board."""

from __future__ import annotations

import abc
from collections.abc import Coroutine
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import NarrowsError

__all__ = ["Transport", "TransportError", "run_sync"]

_Result = TypeVar("_Result")


class TransportError(NarrowsError):
    """The core does not answer, or not as a core of this project would."""


class Transport(abc.ABC):
    """Bursts of 32-bit words at byte addresses (`hw/spec/registers.py`), and waiting for the end of a run."""

    @abc.abstractmethod
    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words to consecutive addresses.

        Parameters
        ----------
        address : int
            Byte address of the first word, a multiple of 4.
        values : array of uint32, shape (n,)

        Raises
        ------
        TransportError
            If the core refuses an access.
        """

    @abc.abstractmethod
    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read ``count`` words from consecutive addresses; raises as :meth:`write` does."""

    async def write_frame(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words of a core's frame memory, from a byte address of it on, perhaps in a way that is faster than
        :meth:`write` because writing there twice does no harm; raises as that does."""
        await self.write(address, values)

    @abc.abstractmethod
    async def wait(self, timeout_cycles: int) -> int | None:
        """Return when the core is no longer busy: STATUS, where it was read to know that, else None.

        Raises
        ------
        TransportError
            If it still is after ``timeout_cycles`` of its clock.
        """

    async def write_backing(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write 32-bit words of the backing store from a byte of it on.

        Raises
        ------
        TransportError
            If there is none, or the host cannot reach it.
        """
        raise TransportError("this transport reaches no backing store: generate the core with backing = 'none'")

    async def read_backing(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read ``count`` words of the backing store; raises as :meth:`write_backing` does."""
        raise TransportError("this transport reaches no backing store: generate the core with backing = 'none'")


def run_sync(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Result of a coroutine over a transport that never suspends, such as the ISA model's.

    Raises
    ------
    RuntimeError
        If it suspends: then it needs the event loop of its transport.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("the coroutine suspended: await it in the event loop of its transport")
