"""FlashPins: an SPI flash memory as a component's test bench sees it, cycle by cycle, and what it objects to."""

from __future__ import annotations

from typing import Any

__all__ = ["FlashPins"]

_WAKE, _READ, _FAST_READ = 0xAB, 0x03, 0x0B


class FlashPins:
    """Mode 0. It sleeps until 0xAB has been sent, and ``wake_cycles`` more; data are on its pin ``delay`` cycles after
    the clock's falling edge. `step` is called once a cycle. Addresses without content read as 0xFF.

    Parameters
    ----------
    pins : member of `hw.boot.flash_reader.FLASH`
    content : dict of int to int
        Bytes by address.
    """

    def __init__(self, pins: Any, content: dict[int, int], *, delay: int = 1, wake_cycles: int = 1000) -> None:
        self._pins, self.content = pins, content
        self._wake_cycles = wake_cycles
        self._level, self._coming = 1, [1] * delay
        self._was_sck, self._was_cs = 0, 1
        self._bits: list[int] = []
        self._sent = 0
        self.asleep = True
        self._ready_at = 0
        self.now = 0
        self.commands: list[bytes] = []
        """What each selection began with."""
        self.objections: list[str] = []

    def step(self, ctx: Any) -> None:
        """A cycle: look at the pins, drive the answer."""
        self.now += 1
        cs_n, sck, copi = (ctx.get(getattr(self._pins, name)) for name in ("cs_n", "sck", "copi"))
        if self._was_cs and not cs_n:
            self._bits, self._sent = [], 0
            if sck:
                self.objections.append(f"{self.now}: selected with the clock high")
            if self.now < self._ready_at:
                self.objections.append(f"{self.now}: selected too early")
        if cs_n and not self._was_cs:
            self._deselected()
        if not cs_n and sck and not self._was_sck:
            self._bits.append(copi)
        if not cs_n and self._was_sck and not sck:
            self._level = self._next_bit()
        self._coming.insert(0, self._level)
        ctx.set(self._pins.cipo, self._coming.pop())
        self._was_sck, self._was_cs = sck, cs_n

    def _deselected(self) -> None:
        sent = bytes(int("".join(map(str, self._bits[at : at + 8])), 2) for at in range(0, len(self._bits) // 8 * 8, 8))
        self.commands.append(sent[:5])
        if sent == bytes([_WAKE]):
            self.asleep, self._ready_at = False, self.now + self._wake_cycles
        else:
            self._ready_at = self.now + 10

    def _next_bit(self) -> int:
        head = (
            {_READ: 32, _FAST_READ: 40}.get(int("".join(map(str, self._bits[:8])), 2)) if len(self._bits) > 7 else None
        )
        if self.asleep or head is None or len(self._bits) < head:
            return 1
        address = int("".join(map(str, self._bits[8:32])), 2) + self._sent // 8
        bit = self.content.get(address, 0xFF) >> (7 - self._sent % 8) & 1
        self._sent += 1
        return bit
