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
        """Send bytes and wait until they are on their way."""
        with gone_is_told("the serial port"):
            self._port.write(data)
            self._port.flush()

    async def read(self, count: int, timeout_bits: int) -> bytes:
        """Read in pieces, since a port's own timeout is one for all bytes together."""
        received = b""
        seconds = timeout_bits / self._port.baudrate + _ADAPTER_SECONDS
        with gone_is_told("the serial port"):
            while len(received) < count:
                self._port.timeout = seconds + 10 * (count - len(received)) / self._port.baudrate
                piece = self._port.read(count - len(received))
                if not piece:
                    break
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
