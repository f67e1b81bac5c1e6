"""SerialLine: bytes to and from a core, whether over a serial port or to a simulated pin."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

from ...hw.spec.link import MAX_WORDS
from ..errors import ToolMissing
from .transport import TransportError

__all__ = ["PortLine", "SerialLine", "SerialPort", "gone_is_told", "open_port", "open_serial"]

_ADAPTER_SECONDS = 0.1  # what an adapter and an operating system may add to a byte's way
_STUCK_SECONDS = 10.0  # beyond the time that bytes take, after which nobody takes them


@contextlib.contextmanager
def gone_is_told(what: str) -> Iterator[None]:
    """Make an OSError of a port or chip, ``what`` to people, a TransportError."""
    try:
        yield
    except OSError as error:  # SerialException and FtdiError are
        raise TransportError(f"{what} failed: {error}: check the cable and open it again") from error


class SerialLine(abc.ABC):
    """Bytes in both directions; times are in bits of the line, so that they mean the same at any speed.

    Attributes
    ----------
    holds_back : bool
        Whether bytes that a core has no time for wait, as on USB, instead of being lost: then a request need not wait
        for the answer to the one before.
    """

    holds_back: bool = False

    store_words = MAX_WORDS
    """Most words of a request that reaches for the backing store, which takes its time."""

    @abc.abstractmethod
    async def write(self, data: bytes) -> None:
        """Send bytes, one after the other without a pause.

        Raises
        ------
        TransportError
            If the line is gone.
        """

    @abc.abstractmethod
    async def read(self, count: int, timeout_bits: int) -> bytes:
        """``count`` bytes, or fewer if none came for ``timeout_bits`` bit times; raises as :meth:`write` does."""


class SerialPort(Protocol):
    """What `PortLine` needs of a pyserial port."""

    baudrate: int
    timeout: float | None
    write_timeout: float | None

    @property
    def in_waiting(self) -> int:
        """How many bytes are there to be read."""
        ...

    def write(self, data: bytes, /) -> int | None:
        """Send bytes."""
        ...

    def read(self, size: int = 1, /) -> bytes:
        """Up to ``size`` bytes, within ``timeout`` seconds."""
        ...

    def flush(self) -> None:
        """Wait until everything is sent."""
        ...


class PortLine(SerialLine):
    """A port of pyserial: a device, or anything else that ``serial.serial_for_url`` opens.

    Parameters
    ----------
    port : SerialPort
        Open, at the core's baud rate.
    holds_back : bool
        As `SerialLine` says.
    """

    def __init__(self, port: SerialPort, *, holds_back: bool = False) -> None:
        self._port, self.holds_back = port, holds_back

    async def write(self, data: bytes) -> None:
        """Send bytes and wait until they are on their way; where bytes wait for the core, until there is room for them,
        which a core that takes none does not make."""
        with gone_is_told("the serial port"):
            self._port.write_timeout = 10 * len(data) / self._port.baudrate + _STUCK_SECONDS
            self._port.write(data)
            if not self.holds_back:
                self._port.flush()

    async def read(self, count: int, timeout_bits: int) -> bytes:
        """Wait for one byte at a time, and take what is there with it: a port's own timeout is one for all bytes that
        it is asked for together."""
        received = b""
        with gone_is_told("the serial port"):
            self._port.timeout = timeout_bits / self._port.baudrate + _ADAPTER_SECONDS
            while len(received) < count:
                piece = self._port.read(1)
                if not piece:
                    break
                if more := min(self._port.in_waiting, count - len(received) - 1):
                    piece += self._port.read(more)
                received += piece
        return received


def open_port(url: str, *, baud: int, holds_back: bool = False) -> PortLine:
    """The line of a device or URL, as `open_serial` opens it; ``holds_back`` where it is a core's own on USB."""
    return PortLine(open_serial(url, baud=baud), holds_back=holds_back)


def open_serial(url: str, *, baud: int) -> SerialPort:
    """The port of a device or URL such as ``/dev/ttyUSB0``, ``COM3`` or ``socket://host:port``.

    Raises
    ------
    ToolMissing
        If pyserial is not installed.
    TransportError
        If the port cannot be opened.
    """
    try:
        import serial
    except ImportError as error:
        raise ToolMissing("pyserial is not installed: pip install 'narrows[run]'") from error
    try:
        port: Any = serial.serial_for_url(url, baudrate=baud)
    except (OSError, ValueError) as error:
        raise TransportError(f"cannot open the serial port {url}: {error}") from error
    return port
