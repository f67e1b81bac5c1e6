"""Fuzzing of the host's ends of links: noise on the way to a played core, and cores that answer anything."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable

import numpy as np
from narrows.hw.spec.link import REPLY_START, hello_words
from narrows.hw.spec.registers import Region, Status, region_address
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.errors import NarrowsError
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, Transport, TransportError, run_sync
from narrows.sw.runtime.serial_line import PortLine, SerialLine
from narrows.sw.runtime.serial_transport import SerialTransport
from narrows.sw.runtime.spi_bus import SerprogBus
from narrows.sw.runtime.spi_line import SpiLine
from numpy.typing import NDArray
from random_graphs import GraphBuilder, random_chain, random_levels
from serial_core import SerialCore
from small_core import SMALL

__all__ = ["LINKS"]

_WORDS = 1 << 12
_BASE = region_address(SMALL, Region.ACTIVATIONS)
_MOST_CALLS = 2_000_000
"""Calls of a line within one case; a host that gives up after eight tries of some requests needs far fewer."""

_ACK, _NAK, _MAP, _SYNCNOP, _TRANSFER, _FREQUENCY = 0x06, 0x15, 0x02, 0x10, 0x13, 0x14
_SIZES = {0x12: 2, 0x15: 2, _FREQUENCY: 5, _TRANSFER: 7}


class _Words(Transport):
    """A memory for `SerialCore`: words at any aligned address up to an end, in its registers and activations."""

    def __init__(self) -> None:
        self.words: dict[int, int] = {}

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        self._check(address, len(values))
        self.words |= {address + 4 * place: int(value) for place, value in enumerate(values)}

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        self._check(address, count)
        return np.array([self.words.get(address + 4 * place, 0) for place in range(count)], dtype=np.uint32)

    async def wait(self, timeout_cycles: int) -> None: ...

    def _check(self, address: int, count: int) -> None:
        if address % 4 or not (address < 0x100 or _BASE <= address <= _BASE + 4 * (_WORDS - count)):
            raise TransportError("there is nothing")


class Noise:
    """What happens to bytes on their way, the same all along a case.

    Parameters
    ----------
    rng : numpy Generator
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._kind = str(rng.choice(["bits", "lost", "more", "cut", "again", "slipped", "mixed", "none"]))
        self._share = float(10 ** rng.uniform(-5, -1))
        self.lies = rng.random() < 0.3
        """The core answers with frames that are whole and say anything."""
        self.babbles = rng.random() < 0.03
        """The line is never silent."""
        self._fails = float(rng.choice([0, 0, 0, 0.001, 0.1]))
        self._calls = 0

    def called(self, *, fails: bool = True) -> None:
        """Count a call of the line; one of a port ``fails`` now and then.

        Raises
        ------
        OSError
            At random.
        RuntimeError
            If they never end.
        """
        self._calls += 1
        if self._calls > _MOST_CALLS:
            raise RuntimeError("the host listens for ever")
        if fails and self._rng.random() < self._fails:
            raise OSError(5, "Input/output error")

    def harmed(self, data: bytes) -> bytes:
        """Bytes as they arrive."""
        rng, result = self._rng, bytearray(data)
        kinds = ("bits", "lost", "more", "cut", "again", "slipped")
        for _ in range(int(rng.binomial(len(data), self._share))):
            if not result:
                break
            place = int(rng.integers(len(result)))
            kind = self._kind if self._kind != "mixed" else kinds[int(rng.integers(len(kinds)))]
            if kind == "bits":
                result[place] ^= 1 << int(rng.integers(8))
            elif kind == "lost":
                del result[place]
            elif kind == "more":
                result[place:place] = rng.bytes(int(rng.integers(1, 5)))
            elif kind == "cut":
                del result[place:]
            elif kind == "again":
                result[place:place] = result[max(0, place - 20) : place]
            elif kind == "slipped":  # all that comes is a bit late
                bits = int.from_bytes(result[place:], "big") >> 1
                result[place:] = bits.to_bytes(len(result) - place, "big")
        return bytes(result)

    def answered(self, core: SerialCore, request: bytes) -> bytes:
        """What comes back for bytes that a host has sent."""
        answer = core.take(self.harmed(request))
        if self.lies and answer and self._rng.random() < 0.3:
            answer = self._lie(answer)
        return self.harmed(answer)

    def _lie(self, answer: bytes) -> bytes:
        rng, sequence, count, status = self._rng, answer[1], answer[2], answer[-5]
        words = answer[3 : 3 + 4 * count]
        kind = int(rng.integers(4))
        if kind == 0:
            sequence = int(rng.integers(256))
        elif kind == 1:
            count = int(rng.choice([0, 1, 5, 128, 129, 255]))
            words = rng.bytes(4 * count)
        elif kind == 2:
            status = int(rng.choice([1, 2, 3, 4, 255]))
        else:
            words = rng.bytes(4 * count)
        body = bytes([sequence, count]) + words + bytes([status])
        return bytes([REPLY_START]) + body + zlib.crc32(body).to_bytes(4, "little")

    def silence(self, count: int) -> bytes:
        """What is heard where nothing is sent."""
        return self._rng.bytes(count) if self.babbles else b""


class _UartLine(SerialLine):
    """A line to a played core."""

    def __init__(self, core: SerialCore, noise: Noise) -> None:
        self._core, self._noise, self._waiting = core, noise, b""

    async def write(self, data: bytes) -> None:
        self._noise.called(fails=False)
        self._waiting += self._noise.answered(self._core, data)

    async def read(self, count: int, timeout_bits: int) -> bytes:
        self._noise.called(fails=False)
        data, self._waiting = self._waiting[:count], self._waiting[count:]
        if len(data) < count:
            self._core.silence()
            data += self._noise.silence(count - len(data))
        return data


class _UsbPort:
    """A serial port with a played core."""

    baudrate = 1_000_000
    timeout: float | None = None
    write_timeout: float | None = None

    def __init__(self, core: SerialCore, noise: Noise) -> None:
        self._core, self._noise, self._waiting = core, noise, b""

    @property
    def in_waiting(self) -> int:
        self._noise.called()
        return len(self._waiting)

    def write(self, data: bytes) -> int:
        self._noise.called()
        self._waiting += self._noise.answered(self._core, data)
        return len(data)

    def read(self, size: int = 1) -> bytes:
        self._noise.called()
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        if len(data) < size:
            self._core.silence()
            data += self._noise.silence(size - len(data))
        return data

    def flush(self) -> None: ...


class _Adapter(_UsbPort):
    """A serprog adapter with a played core on its bus; noise is on the bus, now and then on the adapter's port."""

    baudrate = 115_200

    def __init__(self, core: SerialCore, noise: Noise, rng: np.random.Generator) -> None:
        super().__init__(core, noise)
        self._harmed = rng.random() < 0.2
        self._late = int(rng.integers(0, 17))
        self._known = int(rng.choice([0x3F_FFFF, 1 << _TRANSFER, 0]))
        self._asked = b""

    def write(self, data: bytes) -> int:
        self._noise.called()
        self._asked += self._noise.harmed(data) if self._harmed else data
        while self._asked:
            size = _SIZES.get(self._asked[0], 1)
            if self._asked[0] == _TRANSFER:
                size += int.from_bytes(self._asked[1:4], "little")
            if len(self._asked) < size:
                break
            command, self._asked = self._asked[:size], self._asked[size:]
            answer = self._answer(command)
            self._waiting += self._noise.harmed(answer) if self._harmed else answer
        return len(data)

    def _answer(self, command: bytes) -> bytes:
        if command[0] == _SYNCNOP:
            return bytes([_NAK, _ACK])
        if command[0] == _MAP:
            return bytes([_ACK]) + self._known.to_bytes(32, "little")
        if command[0] == _TRANSFER:
            count = int.from_bytes(command[4:7], "little")
            answer = bytes(self._late) + self._noise.answered(self._core, command[7:])
            self._core.silence()
            return bytes([_ACK]) + (answer + bytes(count))[:count]
        return bytes([_ACK]) + (command[1:] if command[0] == _FREQUENCY else b"")


def _uart(core: SerialCore, noise: Noise, rng: np.random.Generator) -> SerialLine:
    return _UartLine(core, noise)


def _usb(core: SerialCore, noise: Noise, rng: np.random.Generator) -> SerialLine:
    return PortLine(_UsbPort(core, noise), holds_back=True)


def _spi(core: SerialCore, noise: Noise, rng: np.random.Generator) -> SerialLine:
    return SpiLine(SerprogBus(_Adapter(core, noise, rng), hz=1_000_000))


class HostTrial:
    """Writes and reads over a link; what it gives has to be what was written, unless the core lies.

    Parameters
    ----------
    line : callable
        From a core, the noise in front of it and a random generator to the line.
    """

    def __init__(self, line: Callable[[SerialCore, Noise, np.random.Generator], SerialLine]) -> None:
        self._line = line

    def __call__(self, rng: np.random.Generator) -> str:
        """Open a link and use it; whether that was refused."""
        core, noise = SerialCore(_Words(), hello_words(SMALL)), Noise(rng)
        try:
            line = self._line(core, noise, rng)
            link = run_sync(SerialTransport.open(line, sequence=int(rng.integers(256))))
            for _ in range(int(rng.integers(1, 9))):
                self._step(link, core, noise, rng, line.holds_back)
        except TransportError:
            return "refused"
        return "answer"

    @staticmethod
    def _step(
        link: SerialTransport, core: SerialCore, noise: Noise, rng: np.random.Generator, holds_back: bool
    ) -> None:
        count = int(rng.choice([1, 2, 7, 128, 129, 400]))
        address = _BASE + 4 * int(rng.integers(_WORDS - count))
        values = rng.integers(0, 1 << 32, count, dtype=np.uint32)
        done = len(core.carried_out)
        run_sync(link.write(address, values))
        carried_out = len(core.carried_out) - done
        found = run_sync(link.read(address, count))
        run_sync(link.wait(20_000))
        if noise.lies:
            return
        if not np.array_equal(found, values):
            raise AssertionError(f"{count} words at {address:#x} are others when they are read")
        if not holds_back and carried_out != -(-count // 128):
            raise AssertionError(f"a write of {count} words was carried out {carried_out} times")


class _Liar(Transport):
    """A core on the ISA model of whose words some are others when they are read."""

    def __init__(self, behind: IsaTransport, rng: np.random.Generator) -> None:
        self._behind, self._rng, self._share = behind, rng, float(10 ** rng.uniform(-3, 0))

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        await self._behind.write(address, values)

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        words, rng = await self._behind.read(address, count), self._rng
        lies = rng.random(count) < self._share
        edges = rng.choice([0, 1, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFF, Status.FAULT | 0x6300, Status.DONE], count)
        return np.where(lies, np.where(rng.random(count) < 0.5, edges, rng.integers(0, 1 << 32, count)), words).astype(
            np.uint32
        )

    async def wait(self, timeout_cycles: int) -> int | None:
        lie = int(self._rng.integers(1 << 16))
        return lie if self._rng.random() < self._share else None


class DriverTrial:
    """The driver with a core whose words are wrong."""

    def __init__(self) -> None:
        build = GraphBuilder(SMALL, np.random.default_rng(1))
        self._program: Program = compile_graph(random_chain(build, 2), SMALL)
        self._sample = random_levels(self._program.graph, np.random.default_rng(1))

    def __call__(self, rng: np.random.Generator) -> str:
        """Load a program and run a sample; whether that was refused."""
        driver = Driver(_Liar(IsaTransport(SMALL), rng), SMALL)
        try:
            run_sync(driver.load(self._program))
            run_sync(driver.infer(self._sample))
            run_sync(driver.answer(self._sample))
        except NarrowsError:
            return "refused"
        return "answer"


LINKS: dict[str, Callable[[], HostTrial | DriverTrial]] = {
    "host-uart": functools.partial(HostTrial, _uart),
    "host-usb": functools.partial(HostTrial, _usb),
    "host-spi": functools.partial(HostTrial, _spi),
    "driver": functools.cache(DriverTrial),
}
"""What makes the trial of a host's end."""
