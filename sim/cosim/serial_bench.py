"""SerialBench: what `bench_uart.v` and `bench_spi.v` do around a simulated core.

A batch is of 32-bit words: for each command its `LineCommand` and a count. Behind SEND come so many bytes to the core,
one in each word; behind RECEIVE the bit times without a byte that end it; behind TRANSFER, on SPI, the number of bytes
to receive, then the bytes to the core; behind UNPLUG the cycles until then. The bench answers with hexadecimal bytes:
all that was received, then the cycle (64 bits) and how often the core broke the rules of line or bus (32 bits).
"""

from __future__ import annotations

import enum

import numpy as np

from ...sw.runtime import TransportError
from .bench_process import BenchProcess

__all__ = ["LineCommand", "SerialBench"]

_TRAILER_BYTES = 12
_SHARES = 1 << 24


class LineCommand(enum.IntEnum):
    """What a bench does for one command."""

    SEND = 1
    RECEIVE = 2
    TRANSFER = 3
    RESET = 4  # for `count` cycles
    NOISE = 5  # from now on in `count` of 2**24 cycles
    LOSS = 6  # from now on of `count` of 2**24 pulses
    UNPLUG = 7  # a UART's line, for `count` cycles


class SerialBench:
    """Gathers commands until something must be received.

    Parameters
    ----------
    process : BenchProcess
    """

    def __init__(self, process: BenchProcess) -> None:
        self._process = process
        self._gathered: list[int] = []
        self.cycles = 0
        """Clock cycles simulated since power-up, as of the last `play`."""

    def gather(self, *words: int) -> None:
        """Add words to the next batch."""
        self._gathered += words

    def reset(self, cycles: int = 4) -> None:
        """Queue a reset of the core."""
        self.gather(LineCommand.RESET, cycles)

    def set_noise(self, share: float) -> None:
        """From now on turn the line to the core over in this share of all cycles, at random."""
        self.gather(LineCommand.NOISE, round(share * _SHARES))

    def set_loss(self, share: float) -> None:
        """From now on lose this share of the pulses of SPI's clock, at random."""
        self.gather(LineCommand.LOSS, round(share * _SHARES))

    def unplug(self, after: int, cycles: int) -> None:
        """Part the line of a UART for so many cycles, ``after`` so many: either end hears nothing."""
        self.gather(LineCommand.UNPLUG, cycles, after)

    async def play(self) -> bytes:
        """Let the bench play what was gathered; the bytes that it received.

        Raises
        ------
        TransportError
            If the core sent a byte without a stop bit, on SPI did not drive the line, or broke the rules of its bus.
        """
        received = bytes.fromhex(self._process.play(np.array(self._gathered, dtype=np.uint32)))
        self._gathered.clear()
        data, trailer = received[:-_TRAILER_BYTES], received[-_TRAILER_BYTES:]
        self.cycles = int.from_bytes(trailer[:8], "big")
        if broken := int.from_bytes(trailer[8:], "big"):
            raise TransportError(f"the core broke the rules of line or bus {broken} times by cycle {self.cycles}")
        return data
