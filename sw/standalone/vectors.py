"""Vectors: what the ordinary driver does to a core, access by access, as a file that a Verilog bench plays."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..runtime import Transport

__all__ = ["Recorder", "Step", "vector_words"]


class Step(enum.IntEnum):
    """What a vector asks for, in its top four bits; `bench.v` knows the same numbers."""

    END = 0
    WRITE = 1
    EXPECT = 2  # read, and compare
    WAIT = 3  # for irq
    SAMPLE = 4  # the next sample begins


class Recorder(Transport):
    """Passes everything on to a transport, and keeps it: reads with what they gave.

    Parameters
    ----------
    transport : Transport
        To a machine that gives right values.

    Attributes
    ----------
    vectors : list of uint64 arrays
        Each vector is its `Step` (bits 63 to 60), an address in words (55 to 32), and a word (31 to 0).
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.vectors: list[NDArray[np.uint64]] = []

    def sample(self, number: int) -> None:
        """Mark where a sample begins."""
        self._keep(Step.SAMPLE, 0, np.array([number]))

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words; raises as the transport does."""
        await self._transport.write(address, values)
        self._keep(Step.WRITE, address, np.atleast_1d(values))

    async def read(self, address: int, count: int = 1) -> NDArray[np.uint32]:
        """Read words; raises as the transport does."""
        values = await self._transport.read(address, count)
        self._keep(Step.EXPECT, address, values)
        return values

    async def wait(self, timeout_cycles: int) -> None:
        """Until the run is over; raises as the transport does."""
        await self._transport.wait(timeout_cycles)
        self._keep(Step.WAIT, 0, np.array([timeout_cycles]))

    def _keep(self, step: Step, address: int, values: NDArray) -> None:
        places = np.arange(len(values), dtype=np.uint64) + np.uint64(address // 4)
        head = np.uint64(step << 60) | places << np.uint64(32)
        self.vectors.append(head | (values.astype(np.uint64) & np.uint64(0xFFFFFFFF)))


def vector_words(vectors: list[NDArray[np.uint64]]) -> Iterator[str]:
    """Lines for `$readmemh`, the last of them `Step.END`."""
    for block in vectors:
        yield from (f"{int(word):016x}" for word in block)
    yield f"{Step.END << 60:016x}"
