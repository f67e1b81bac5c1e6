"""PinLine: the host's end of a UART, pin by pin in Amaranth's simulator."""

from __future__ import annotations

from typing import Any

from narrows.sw.runtime.serial_line import SerialLine

__all__ = ["PinLine"]


class PinLine(SerialLine):
    """Bits on ``rx`` of a component and from its ``tx``.

    Parameters
    ----------
    ctx : context of an Amaranth test bench
    rx, tx : Signal
    divisor : int
        Clock cycles of a bit as the component counts them.
    scale : float
        Length of a bit of the host's in those of the component.
    """

    def __init__(self, ctx: Any, rx: Any, tx: Any, *, divisor: int, scale: float = 1.0) -> None:
        self._ctx, self._rx, self._tx, self._divisor, self._bit = ctx, rx, tx, divisor, divisor * scale
        self._debt = 0.0

    async def _wait(self, cycles: float) -> None:
        self._debt += cycles
        whole = int(self._debt)
        self._debt -= whole
        if whole:
            await self._ctx.tick().repeat(whole)

    async def write(self, data: bytes) -> None:
        """Send bytes; the answer may begin before the last stop bit ends."""
        await self._wait(self._bit)
        for byte in data:
            await self.send_bits([1, 0, *(byte >> place & 1 for place in range(8))])
        self._ctx.set(self._rx, 1)
        await self._wait(self._bit * 0.4)

    async def send_bits(self, bits: list[int]) -> None:
        """Show levels for one bit time each."""
        for bit in bits:
            self._ctx.set(self._rx, bit)
            await self._wait(self._bit)

    async def read(self, count: int, timeout_bits: int) -> bytes:
        """Bytes that begin from now on."""
        received = bytearray()
        while len(received) < count:
            silence = 0
            while self._ctx.get(self._tx):
                if silence >= timeout_bits * self._divisor:
                    return bytes(received)
                silence += 1
                await self._ctx.tick()
            await self._wait(self._bit / 2)
            assert not self._ctx.get(self._tx), "a start bit shorter than half a bit"
            byte = 0
            for place in range(8):
                await self._wait(self._bit)
                byte |= self._ctx.get(self._tx) << place
            await self._wait(self._bit)
            assert self._ctx.get(self._tx), "no stop bit"
            received.append(byte)
        return bytes(received)
