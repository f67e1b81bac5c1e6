"""open_spi: SPI controllers on a computer's USB, adapters that speak serprog and chips of FTDI's."""

from __future__ import annotations

from typing import Any

from ..errors import ToolMissing
from .serial_line import SerialPort, gone_is_told, open_serial
from .spi_line import SpiBus, SpiLine
from .transport import TransportError

__all__ = ["FtdiBus", "SerprogBus", "open_spi"]

_ADAPTER_BAUD = 115200  # adapters on USB take any
_SILENCE_SECONDS, _SYNC_SECONDS, _ANSWER_SECONDS = 0.2, 3.0, 10.0
_FTDI_HZ = 30_000_000  # divided by whole numbers

_ACK, _NAK = 0x06, 0x15
_SYNC = 600  # more than an earlier host may have left to send
_MOST_LEFT = 64  # times as many bytes after which what talks there is no adapter
_SPI_ONLY = 0x08
_NOP, _MAP, _SYNCNOP, _BUS, _TRANSFER, _FREQUENCY, _DRIVE = 0x00, 0x02, 0x10, 0x12, 0x13, 0x14, 0x15
_MAP_BYTES = 32


class SerprogBus(SpiBus):
    """An adapter that speaks the protocol of flashrom's programmer ``serprog``, as a Raspberry Pi Pico can.

    Parameters
    ----------
    port : SerialPort
        Of pyserial, open.
    hz : int
        Clock on the bus; adapters take the next lower one that they have.

    Raises
    ------
    TransportError
        If no such adapter answers, or one that has no SPI.
    """

    def __init__(self, port: SerialPort, *, hz: int) -> None:
        self._port = port
        self._synchronise()
        commands = int.from_bytes(self._ask(bytes([_MAP]), _MAP_BYTES), "little")
        if not commands >> _TRANSFER & 1:
            raise TransportError("the adapter has no SPI: choose another port")
        if commands >> _BUS & 1:
            self._ask(bytes([_BUS, _SPI_ONLY]), 0)
        if commands >> _FREQUENCY & 1:
            self._ask(bytes([_FREQUENCY]) + hz.to_bytes(4, "little"), 4)
        if commands >> _DRIVE & 1:
            self._ask(bytes([_DRIVE, 1]), 0)

    async def exchange(self, out: bytes, count: int) -> bytes:
        """One transfer, as `SpiBus.exchange` says."""
        sizes = len(out).to_bytes(3, "little") + count.to_bytes(3, "little")
        return self._ask(bytes([_TRANSFER]) + sizes + out, count)

    def _synchronise(self) -> None:
        """End what an earlier host may have begun: NOPs, silence, then the one command that NAK and ACK answer."""
        self._send(bytes([_NOP] * _SYNC))
        for _ in range(_MOST_LEFT):
            if not self._receive(_SYNC, _SILENCE_SECONDS):
                break
        self._send(bytes([_SYNCNOP]))
        answer = b""
        while not answer.endswith(bytes([_NAK, _ACK])):  # behind what a slow adapter still says to the NOPs
            byte = self._receive(1, _SYNC_SECONDS)
            if not byte or len(answer) > _MOST_LEFT * _SYNC:
                raise TransportError("no SPI adapter answers: is it the right port, and does it speak serprog?")
            answer += byte

    def _ask(self, command: bytes, count: int) -> bytes:
        self._send(command)
        if self._receive(1, _ANSWER_SECONDS) == bytes([_ACK]):
            answer = self._receive(count, _ANSWER_SECONDS)
            if len(answer) == count:
                return answer
        raise TransportError(f"the SPI adapter refused command {command[0]:#04x}: connect it anew")

    def _send(self, data: bytes) -> None:
        with gone_is_told("the SPI adapter"):
            self._port.write(data)
            self._port.flush()

    def _receive(self, count: int, seconds: float) -> bytes:
        """Bytes, fewer if that many seconds pass."""
        self._port.timeout = seconds
        with gone_is_told("the SPI adapter"):
            return self._port.read(count)


class FtdiBus(SpiBus):
    """A chip of FTDI's with an MPSSE (FT232H, FT2232H), through pyftdi.

    Parameters
    ----------
    port : pyftdi.spi.SpiPort
    """

    def __init__(self, port: Any) -> None:
        self._port = port

    async def exchange(self, out: bytes, count: int) -> bytes:
        """One transfer, as `SpiBus.exchange` says."""
        with gone_is_told("the FTDI chip"):
            return bytes(self._port.exchange(out, count))


def open_spi(url: str, *, hz: int, select: int = 0) -> SpiLine:
    """The line of a controller: ``ftdi://ftdi:2232h/1`` and the like, otherwise a serial port with a serprog adapter.

    Parameters
    ----------
    url : str
    hz : int
        Clock on the bus.
    select : int
        Chip select of an FTDI chip: 0 for its pin ADBUS3, 1 for ADBUS4, and so on.

    Raises
    ------
    ToolMissing
        If pyserial or pyftdi is not installed.
    TransportError
        If the controller cannot be opened.
    """
    if not url.startswith("ftdi://"):
        return SpiLine(SerprogBus(open_serial(url, baud=_ADAPTER_BAUD), hz=hz))
    try:
        from pyftdi.spi import SpiController
        from pyftdi.usbtools import UsbToolsError
    except ImportError as error:
        raise ToolMissing("pyftdi is not installed: pip install 'narrows[run]'") from error
    controller: Any = SpiController(cs_count=select + 1)
    reachable = _FTDI_HZ // -(-_FTDI_HZ // hz)  # pyftdi would also take one that is faster
    try:
        controller.configure(url, frequency=reachable)
        return SpiLine(FtdiBus(controller.get_port(cs=select, freq=reachable, mode=0)))
    except (OSError, ValueError, UsbToolsError) as error:
        raise TransportError(f"cannot open {url}: {error}") from error
