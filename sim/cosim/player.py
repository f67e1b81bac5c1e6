"""CosimTransport: the host side of a simulated core, played by `bench.v` so that Python stays out of its cycles.

A batch is of 32-bit words: for each command a head (`Command` above 28 bits of byte address), a count and, for a write,
as many values. The bench answers with hexadecimal words: all that was read, then the `_Trailer`. A batch costs time
however short it is; so writes are gathered until something must be read.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...hw.spec.registers import Register
from ...sw.runtime import Transport, TransportError
from .bench_process import BenchProcess

__all__ = ["Command", "CosimTransport", "Habit"]


class Command(enum.IntEnum):
    """What the bench does for one command."""

    WRITE = 1
    READ = 2
    WAIT = 3  # for irq, at most `count` cycles
    STORE_WRITE = 4  # the backing store, at once
    STORE_READ = 5
    STORE_SET = 6  # latency, pace, stalls, seed and habits of the backing store
    HOST_SET = 7  # stalls of the host
    STREAM_SEND = 8  # beats for the stream of frames, queued at once
    STREAM_SET = 9  # stalls of both streams
    STREAM_TAKE = 10  # whole answers, as many as the address says, at most `count` cycles later
    PAUSE = 11  # so many cycles
    RESET = 12  # of core and bench, for so many cycles
    STRIKE = 13  # as many bits as the address says are flipped by the core's task `strike`, `count` cycles later


_LAST, _ERROR = 1 << 8, 1 << 9  # TLAST and TUSER above the byte


class Habit(enum.IntFlag):
    """What AXI4 lets a slave do, but few do."""

    WAITS_FOR_BOTH = 1  # takes a write's address only while its first beat is on offer
    DATA_FIRST = 2  # takes a burst's beats first, and its address after the last one
    FICKLE = 4  # drops a ready that met no valid
    FAULTY = 8  # a beat read or a burst written of 256 fails, with DECERR
    DEAD = 16  # answers nothing and takes nothing any more
    FAILING = 32  # every beat read or burst written fails, with SLVERR or DECERR by chance


class _Trailer(NamedTuple):
    """Last words of a response."""

    cycles_high: int
    cycles_low: int
    errors: int
    error_address: int
    timed_out: int
    dead: int
    violations: int


class CosimTransport(Transport):
    """Transport to the core inside a running simulation; nothing ever suspends.

    Parameters
    ----------
    bench : BenchProcess
        That of `bench.v`.

    Raises
    ------
    TransportError
        By every method, if the core answers an access with an error or not at all, or a wait ends without an interrupt.
    """

    def __init__(self, bench: BenchProcess) -> None:
        self._bench = bench
        self._gathered: list[NDArray[np.uint32]] = []
        self._cycles = 0

    @property
    def cycles(self) -> int:
        """Clock cycles simulated since power-up, as of the last read or wait."""
        return self._cycles

    async def write(self, address: int, values: ArrayLike) -> None:
        """Queue writes of 32-bit words from a byte address on; they reach the core before the next read or wait."""
        words = np.atleast_1d(np.asarray(values)).astype(np.uint32)
        self._gathered += [np.array([Command.WRITE << 28 | address, len(words)], dtype=np.uint32), words]

    async def read(self, address: int, count: int = 1) -> NDArray[np.uint32]:
        """32-bit words from a byte address on, of shape (count,)."""
        self._gathered.append(np.array([Command.READ << 28 | address, count], dtype=np.uint32))
        return await self._play()

    async def write_backing(self, address: int, values: NDArray[np.uint32]) -> None:
        """Queue a write of the memory behind the core's bus."""
        head = np.array([Command.STORE_WRITE << 28 | address, len(values)], dtype=np.uint32)
        self._gathered += [head, np.asarray(values, dtype=np.uint32)]

    async def read_backing(self, address: int, count: int) -> NDArray[np.uint32]:
        """Words of the memory behind the core's bus."""
        self._gathered.append(np.array([Command.STORE_READ << 28 | address, count], dtype=np.uint32))
        return await self._play()

    async def set_bus(self, *, latency: int = 1, pace: int = 1, stall: int = 0, seed: int = 0, habits: int = 0) -> None:
        """How the memory behind the core's bus answers.

        Parameters
        ----------
        latency : int
            Cycles from an address to the first beat, and from the last beat written to its acknowledgement, at least 1.
        pace : int
            Cycles from one beat to the next, at least 1.
        stall : int
            Handshakes of 256 that are put off by a cycle, at random.
        seed : int
            Of chance, from this cycle on; 0: it goes on as it is.
        habits : Habit
        """
        settings = [latency, pace, stall, seed, habits]
        self._gathered.append(np.array([Command.STORE_SET << 28, len(settings), *settings], dtype=np.uint32))

    async def set_host(self, *, stall: int) -> None:
        """Put off ``stall`` of 256 tries of any handshake of the host by a cycle, at random."""
        self._gathered.append(np.array([Command.HOST_SET << 28, 1, stall], dtype=np.uint32))

    async def set_streams(self, *, frames: int = 0, answers: int = 0) -> None:
        """Put off ``frames`` of 256 beats of the stream of frames by a cycle, at random, and as many ``answers``."""
        self._gathered.append(np.array([Command.STREAM_SET << 28, 2, frames, answers], dtype=np.uint32))

    async def send_frame(self, frame: bytes, *, ends: bool = True, aborts: bool = False) -> None:
        """Queue a frame for the core's stream, which goes there while other things happen; TLAST is with its last byte
        if it ``ends``, and behind it a beat with TUSER if it ``aborts``."""
        beats = np.frombuffer(frame, dtype=np.uint8).astype(np.uint32)
        if ends:
            beats[-1] |= _LAST
        if aborts:
            beats = np.append(beats, np.uint32(_ERROR))
        self._gathered += [np.array([Command.STREAM_SEND << 28, len(beats)], dtype=np.uint32), beats]

    async def take_answers(self, count: int, timeout_cycles: int) -> list[bytes | None]:
        """The next answers of the core's stream, None for each that was an error; TransportError if it takes longer."""
        self._gathered.append(np.array([Command.STREAM_TAKE << 28 | count, timeout_cycles], dtype=np.uint32))
        beats = await self._play()
        ends = np.flatnonzero(beats & _LAST) + 1
        answers = np.split(beats, ends[:-1])
        return [None if part[0] & _ERROR else part.astype(np.uint8).tobytes() for part in answers]

    async def wait(self, timeout_cycles: int) -> int:
        """STATUS once the interrupt is high, after at most ``timeout_cycles`` clock cycles."""
        self._gathered.append(np.array([Command.WAIT << 28, timeout_cycles], dtype=np.uint32))
        return int((await self.read(Register.STATUS.offset, 1))[0])

    async def pause(self, cycles: int) -> None:
        """Queue so many cycles in which the host does nothing."""
        self._gathered.append(np.array([Command.PAUSE << 28, cycles], dtype=np.uint32))

    async def reset(self, cycles: int = 8) -> None:
        """Queue a reset of the core and of all that is connected to it; memories keep what they hold."""
        self._gathered.append(np.array([Command.RESET << 28, cycles], dtype=np.uint32))

    async def strike(self, bits: Sequence[tuple[int, int, int]], *, cycles: int = 0) -> None:
        """Queue that bits (array, word, place; at most 16) flip together, so many cycles later, in a core with a task
        ``strike``."""
        head = np.array([Command.STRIKE << 28 | len(bits), cycles], dtype=np.uint32)
        self._gathered += [head, np.array(bits, dtype=np.uint32).reshape(-1)]

    async def _play(self) -> NDArray[np.uint32]:
        answer = self._bench.play(np.concatenate(self._gathered))
        self._gathered.clear()
        words = np.frombuffer(bytes.fromhex(answer), dtype=">u4").astype(np.uint32)
        values, trailer = words[: -len(_Trailer._fields)], _Trailer(*(int(w) for w in words[-len(_Trailer._fields) :]))
        self._cycles = trailer.cycles_high << 32 | trailer.cycles_low
        if trailer.dead:
            raise TransportError(f"the core stopped answering on its bus in cycle {self._cycles}")
        if trailer.timed_out:
            raise TransportError(f"no interrupt from the core by cycle {self._cycles}: a run exceeds its time limit")
        if trailer.violations:
            raise TransportError(f"the core broke the rules of its buses in {trailer.violations} cycles")
        if trailer.errors:
            raise TransportError(
                f"the core refused {trailer.errors} accesses, the first at address {trailer.error_address:#x}"
            )
        return values
