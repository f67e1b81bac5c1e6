"""CosimLine: the host side of a simulated core with a UART, played by `bench_uart.v` at the pin.

A batch is a file of big-endian 32-bit words: for each command its `LineCommand`, a count and, for SEND, as many bytes,
one in each word, for RECEIVE the bit times without a byte that end it. The bench answers with a text of hexadecimal
bytes: all that was received, then the cycle (64 bits) and how many bytes came without a stop bit (32 bits).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cocotb.triggers import ValueChange
from numpy.typing import NDArray

from ...sw.runtime import Transport, TransportError
from ...sw.runtime.serial_line import SerialLine
from ...sw.runtime.serial_transport import SerialTransport

__all__ = ["CosimLine", "CosimSerialTransport", "LineCommand"]

_COMMANDS, _RESPONSES = Path("commands.bin"), Path("responses.hex")
_TRAILER_BYTES = 12
_NOISE_CYCLES = 1 << 24


class LineCommand(enum.IntEnum):
    """What the bench does for one command."""

    SEND = 1
    RECEIVE = 2
    IDLE = 3  # for `count` bit times
    RESET = 4  # for `count` cycles
    NOISE = 5  # from now on in `count` of 2**24 cycles


class CosimLine(SerialLine):
    """The line to the core inside a running simulation; it suspends until the simulator has played what it is given.

    Parameters
    ----------
    top : cocotb handle
        The top of `bench_uart.v`.
    """

    def __init__(self, top: Any) -> None:
        self._top = top
        self._start = 0
        self._gathered: list[int] = []
        self._cycles = 0

    @property
    def cycles(self) -> int:
        """Clock cycles simulated since power-up, as of the last read."""
        return self._cycles

    async def write(self, data: bytes) -> None:
        """Queue bytes; they reach the core before the next read."""
        self._gathered += [LineCommand.SEND, len(data), *data]

    async def read(self, count: int, timeout_bits: int) -> bytes:
        """Bytes from the core, as `SerialLine.read` says."""
        self._gathered += [LineCommand.RECEIVE, count, timeout_bits]
        return await self._play()

    async def pause(self, bits: int) -> None:
        """Queue silence."""
        self._gathered += [LineCommand.IDLE, bits]

    async def reset(self, cycles: int = 4) -> None:
        """Queue a reset of the core."""
        self._gathered += [LineCommand.RESET, cycles]

    async def set_noise(self, share: float) -> None:
        """From now on turn the line to the core over in this share of all cycles, at random."""
        self._gathered += [LineCommand.NOISE, round(share * _NOISE_CYCLES)]

    async def _play(self) -> bytes:
        _COMMANDS.write_bytes(_words(self._gathered))
        self._gathered.clear()
        self._start ^= 1
        self._top.start.value = self._start
        await ValueChange(self._top.done)
        received = bytes.fromhex(_RESPONSES.read_text(encoding="ascii"))
        data, trailer = received[:-_TRAILER_BYTES], received[-_TRAILER_BYTES:]
        self._cycles = int.from_bytes(trailer[:8], "big")
        if broken := int.from_bytes(trailer[8:], "big"):
            raise TransportError(f"the core sent {broken} bytes without a stop bit by cycle {self._cycles}")
        return data


class CosimSerialTransport(Transport):
    """Transport to a simulated core over its UART; the link is opened by its first use.

    Parameters
    ----------
    top : cocotb handle
        The top of `bench_uart.v`.

    Attributes
    ----------
    line : CosimLine
    """

    def __init__(self, top: Any) -> None:
        self.line = CosimLine(top)
        self._link: SerialTransport | None = None

    @property
    def cycles(self) -> int:
        """Clock cycles simulated since power-up, as of the last read."""
        return self.line.cycles

    async def link(self) -> SerialTransport:
        """The link, opened where it is not."""
        if self._link is None:
            self._link = await SerialTransport.open(self.line)
        return self._link

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words; raises as `SerialTransport.write` does."""
        await (await self.link()).write(address, values)

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read words; raises as `SerialTransport.write` does."""
        return await (await self.link()).read(address, count)

    async def wait(self, timeout_cycles: int) -> None:
        """Until the core is not busy; raises as `SerialTransport.wait` does."""
        await (await self.link()).wait(timeout_cycles)

    async def set_host(self, *, noise: float) -> None:
        """Noise on the line from now on, as `CosimLine.set_noise` makes it."""
        await self.line.set_noise(noise)


def _words(values: Sequence[int]) -> bytes:
    return np.array(values, dtype=">u4").tobytes()
