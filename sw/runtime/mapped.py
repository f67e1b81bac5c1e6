"""MappedTransport: a core in this computer's own memory map, as beside the ARM processor of a Zynq."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.registers import ADDRESS_BITS, Register, Status
from ..errors import InputError
from .transport import Transport, TransportError

__all__ = ["MAPPED", "MappedTransport", "MappedWords", "open_mapped"]

MAPPED = ("uio", "mem")
"""Kinds of places that `open_mapped` knows."""

_SPAN = 1 << ADDRESS_BITS
_MEMORY, _UIO_MAPS = Path("/dev/mem"), Path("/sys/class/uio")
_READ_CYCLES = 12  # of the core's clock that a read takes at least (docs/host_link.md)


class MappedWords(Protocol):
    """32-bit words by index, each of which is one access of the bus: a numpy array over a mapping is that."""

    def __getitem__(self, index: int, /) -> int | np.uint32:
        """Read a word."""
        ...

    def __setitem__(self, index: int, value: np.uint32, /) -> None:
        """Write one."""
        ...


class MappedTransport(Transport):
    """Bursts as single aligned accesses of 32 bits, which is all that an AXI4-Lite port takes.

    Parameters
    ----------
    words : MappedWords
        The core's address space from its first register on.
    """

    def __init__(self, words: MappedWords) -> None:
        self._words = words

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words. The driver accesses no memory during a run: to a processor a refusal is a bus error (SIGBUS)."""
        words, first = self._words, address // 4
        for number, value in enumerate(np.asarray(values, dtype=np.uint32)):
            words[first + number] = value

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read words; see :meth:`write`."""
        words, first = self._words, address // 4
        return np.array([int(words[first + number]) for number in range(count)], dtype=np.uint32)

    async def wait(self, timeout_cycles: int) -> int:
        """Poll STATUS; the core's own reads are the clock, since each takes so many cycles at least."""
        for _ in range(timeout_cycles // (2 * _READ_CYCLES) + 2):
            status = int(self._words[Register.STATUS.offset // 4])
            if not status & Status.BUSY:
                return status
            if int(self._words[Register.CYCLES.offset // 4]) > timeout_cycles:
                break
        raise TransportError("the core is still busy: a run exceeds its time limit")


def open_mapped(place: str) -> MappedTransport:
    """The core at a place in this computer's memory map.

    Parameters
    ----------
    place : str
        ``"uio:/dev/uio0"``: what the kernel's UIO driver maps first, for whoever may open the device. Or
        ``"mem:0x40000000"``: a physical address, through ``/dev/mem``, which takes root.

    Raises
    ------
    InputError
        If the place is neither.
    TransportError
        If it cannot be opened or mapped, or the device maps less than a core's address space.
    """
    kind, _, where = place.partition(":")
    if kind == "mem":
        return MappedTransport(_map(_MEMORY, _physical(where)))
    if kind == "uio" and where:
        size = _uio_bytes(Path(where))
        if size < _SPAN:
            raise TransportError(
                f"{where} maps {size:,} bytes, a core takes {_SPAN >> 20} MiB: give it that range of addresses in the "
                "block design and in the device tree"
            )
        return MappedTransport(_map(Path(where), 0))
    raise InputError(f"{place!r} is no place of a core: say uio:/dev/uio0, or mem:0x40000000")


def _physical(text: str) -> int:
    try:
        address = int(text, 0)
    except ValueError:
        raise InputError(f"{text!r} is no physical address: say mem:0x40000000") from None
    if address < 0 or address % _SPAN:
        raise InputError(f"a core cannot be mapped at {text}: its address is a multiple of {_SPAN >> 20} MiB")
    return address


def _uio_bytes(device: Path) -> int:
    """Size of what a UIO device maps first."""
    told = _UIO_MAPS / device.name / "maps" / "map0" / "size"
    try:
        return int(told.read_text(encoding="ascii"), 0)
    except (OSError, ValueError):
        raise TransportError(
            f"there is no UIO device {device}: name the core generic-uio in the device tree, and load uio_pdrv_genirq"
        ) from None


def _map(device: Path, offset: int) -> NDArray[np.uint32]:
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_SYNC)
    except FileNotFoundError:
        raise TransportError(f"there is no {device} on this computer") from None
    except PermissionError:
        raise TransportError(f"{device} may not be opened: run as root, or let your group open it") from None
    except OSError as error:
        raise TransportError(f"cannot open {device}: {error.strerror}") from None
    try:
        return np.frombuffer(mmap.mmap(descriptor, _SPAN, offset=offset), dtype=np.uint32)
    except (OSError, ValueError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise TransportError(f"{_SPAN >> 20} MiB from 0x{offset:x} of {device} cannot be mapped: {reason}") from None
    finally:
        os.close(descriptor)
