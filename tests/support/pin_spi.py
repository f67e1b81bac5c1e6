"""PinSpiBus: an SPI controller, pin by pin in Amaranth's simulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from narrows.sw.runtime.spi_line import SpiBus

__all__ = ["PinSpiBus"]


class PinSpiBus(SpiBus):
    """The controller's end of the pins ``cs_n``, ``sck``, ``copi`` and ``cipo`` of a component.

    Parameters
    ----------
    ctx : context of an Amaranth test bench
    port : component
    half : callable
        Clock cycles until the next edge of ``sck``, asked anew for each.
    lost : callable
        Whether the pulse of ``sck`` with this number, counted from the selection, is lost.
    """

    def __init__(
        self, ctx: Any, port: Any, *, half: Callable[[], int], lost: Callable[[int], bool] = lambda pulse: False
    ) -> None:
        self._ctx, self._port, self._half, self._lost = ctx, port, half, lost

    async def exchange(self, out: bytes, count: int) -> bytes:
        """One selection; ``copi`` rests on its last level while bytes come in."""
        received = await self.duplex(out + bytes([0xFF if out and out[-1] & 1 else 0] * count))
        return received[len(out) :]

    async def duplex(self, out: bytes, bits: int | None = None) -> bytes:
        """Bytes both ways at once, perhaps only so many bits of them."""
        self._ctx.set(self._port.cs_n, 0)
        received = []
        for pulse in range(8 * len(out) if bits is None else bits):
            self._ctx.set(self._port.copi, out[pulse // 8] >> 7 - pulse % 8 & 1)
            await self._wait()
            received.append(self._ctx.get(self._port.cipo))
            self._ctx.set(self._port.sck, not self._lost(pulse))
            await self._wait()
            self._ctx.set(self._port.sck, 0)
        await self._wait()
        self._ctx.set(self._port.cs_n, 1)
        await self._ctx.tick().repeat(12)
        whole = len(received) // 8
        return bytes(sum(bit << 7 - at for at, bit in enumerate(received[8 * byte :][:8])) for byte in range(whole))

    async def _wait(self) -> None:
        await self._ctx.tick().repeat(self._half())
