"""SpiLine: the serial link over SPI, a request and its reply in one selection of the core."""

from __future__ import annotations

import abc

from ...hw.spec.link import SPI_STORE_WORDS, SPI_WAIT_BYTES
from .serial_frames import asked_bytes
from .serial_line import SerialLine

__all__ = ["SpiBus", "SpiLine"]


class SpiBus(abc.ABC):
    """An SPI controller, mode 0, with one core."""

    @abc.abstractmethod
    async def exchange(self, out: bytes, count: int) -> bytes:
        """Select the core, send bytes, receive ``count`` bytes while COPI stays as it is, deselect it.

        Raises
        ------
        TransportError
            If the controller is gone.
        """


class SpiLine(SerialLine):
    """What `SerialTransport` sends and receives, on a bus: each write is a whole request, and its reply comes with it.

    A controller is never silent: nothing has to be waited for, here or in the core, which gives a frame up when it is
    deselected.

    Parameters
    ----------
    bus : SpiBus
    """

    store_words = SPI_STORE_WORDS

    def __init__(self, bus: SpiBus) -> None:
        self._bus = bus
        self._received = b""

    async def write(self, data: bytes) -> None:
        """Send a request of `serial_frames.encode_request` and receive what is answered."""
        self._received = await self._bus.exchange(data, SPI_WAIT_BYTES + asked_bytes(data))

    async def read(self, count: int, timeout_bits: int) -> bytes:
        """What is left of the answer, at most ``count`` bytes of it."""
        data, self._received = self._received[:count], self._received[count:]
        return data
