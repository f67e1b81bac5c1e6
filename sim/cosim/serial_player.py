"""CosimSerialTransport: the host side of a simulated core with a UART or SPI, played by a bench at its pins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...sw.runtime import Transport
from ...sw.runtime.serial_line import SerialLine
from ...sw.runtime.serial_transport import SerialTransport
from ...sw.runtime.spi_line import SpiBus, SpiLine
from .bench_process import BenchProcess
from .serial_bench import LineCommand, SerialBench

__all__ = ["CosimLine", "CosimSerialTransport", "CosimSpiBus"]


class CosimLine(SerialLine):
    """The UART of the core inside a running simulation; nothing ever suspends.

    Parameters
    ----------
    bench : SerialBench
        That of `bench_uart.v`.
    """

    def __init__(self, bench: SerialBench) -> None:
        self._bench = bench

    async def write(self, data: bytes) -> None:
        """Queue bytes; they reach the core before the next read."""
        self._bench.gather(LineCommand.SEND, len(data), *data)

    async def read(self, count: int, timeout_bits: int) -> bytes:
        """Bytes from the core, as `SerialLine.read` says."""
        self._bench.gather(LineCommand.RECEIVE, count, timeout_bits)
        return await self._bench.play()


class CosimSpiBus(SpiBus):
    """A controller at the pins of the core inside a running simulation.

    Parameters
    ----------
    bench : SerialBench
        That of `bench_spi.v`.
    """

    def __init__(self, bench: SerialBench) -> None:
        self._bench = bench

    async def exchange(self, out: bytes, count: int) -> bytes:
        """One transfer, as `SpiBus.exchange` says."""
        self._bench.gather(LineCommand.TRANSFER, len(out), count, *out)
        return await self._bench.play()


class CosimSerialTransport(Transport):
    """Transport to a simulated core over a serial line; the link is opened by its first use.

    Parameters
    ----------
    process : BenchProcess
        That of `bench_uart.v` or `bench_spi.v`.
    kind : str
        ``"uart"`` or ``"spi"``, which of them.

    Attributes
    ----------
    bench : SerialBench
    line : SerialLine
    """

    def __init__(self, process: BenchProcess, kind: str) -> None:
        self.bench = SerialBench(process)
        self.line: SerialLine = SpiLine(CosimSpiBus(self.bench)) if kind == "spi" else CosimLine(self.bench)
        self._link: SerialTransport | None = None

    @property
    def cycles(self) -> int:
        """Clock cycles simulated since power-up, as of the last read."""
        return self.bench.cycles

    async def link(self) -> SerialTransport:
        """The link, opened where it is not."""
        if self._link is None:
            self._link = await SerialTransport.open(self.line)
        return self._link

    def give_up(self) -> None:
        """Leave the session; the next use opens another one."""
        self._link = None

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words; raises as `SerialTransport.write` does."""
        await (await self.link()).write(address, values)

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read words; raises as `SerialTransport.write` does."""
        return await (await self.link()).read(address, count)

    async def write_frame(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words of a frame memory; raises as `SerialTransport.write` does."""
        await (await self.link()).write_frame(address, values)

    async def write_backing(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words of the backing store; raises as `SerialTransport.write` does."""
        await (await self.link()).write_backing(address, values)

    async def read_backing(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read words of the backing store; raises as `SerialTransport.write` does."""
        return await (await self.link()).read_backing(address, count)

    async def wait(self, timeout_cycles: int) -> int:
        """Until the core is not busy; raises as `SerialTransport.wait` does."""
        return await (await self.link()).wait(timeout_cycles)

    async def set_host(self, *, noise: float) -> None:
        """Noise on the line from now on, as `SerialBench.set_noise` makes it."""
        self.bench.set_noise(noise)
