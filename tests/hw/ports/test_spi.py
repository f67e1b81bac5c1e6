"""SpiPeripheral: bytes both ways at its fastest clock and at uneven ones; what a deselection ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth_bench import simulate
from narrows.hw.ports.spi import SPI_PINS, SpiPeripheral
from narrows.hw.spec.link import SPI_DIVISOR
from pin_spi import PinSpiBus

SENT = bytes([0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, 0xA5])
HALF = SPI_DIVISOR // 2


class Echo(wiring.Component):
    """A peripheral that answers each byte with its complement."""

    def __init__(self) -> None:
        self.peripheral = SpiPeripheral()
        super().__init__({"pins": Out(SPI_PINS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.peripheral = inner = self.peripheral
        wiring.connect(m, wiring.flipped(self.pins), inner.pins)
        m.d.comb += [inner.tx_data.eq(~inner.data), inner.tx_valid.eq(1)]
        return m


def complement(data: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in data)


def with_echo(body: Callable[[PinSpiBus, Any, Any], Any], half: Callable[[], int] = lambda: HALF) -> None:
    echo: Any = Echo()

    async def bench(ctx: Any) -> None:
        await body(PinSpiBus(ctx, echo.pins, half=half), ctx, echo)

    simulate(echo, bench)


@pytest.mark.parametrize("longest", [HALF, HALF + 1, 20])
def test_bytes_cross_both_ways(longest: int) -> None:
    rng = np.random.default_rng(longest)

    async def body(bus: PinSpiBus, ctx: Any, echo: Any) -> None:
        for _ in range(4):
            assert await bus.duplex(SENT + b"\0") == b"\0" + complement(SENT), "the first byte has no answer yet"

    with_echo(body, lambda: int(rng.integers(HALF, longest + 1)))


@pytest.mark.parametrize("bits", [1, 7, 8, 13])
def test_a_deselection_forgets_the_bits_of_a_byte_and_what_was_to_be_answered(bits: int) -> None:
    async def body(bus: PinSpiBus, ctx: Any, echo: Any) -> None:
        await bus.duplex(b"\x12\xff", bits=bits)
        assert await bus.duplex(SENT + b"\0") == b"\0" + complement(SENT)

    with_echo(body)


def test_nobody_drives_the_line_while_deselected() -> None:
    async def body(bus: PinSpiBus, ctx: Any, echo: Any) -> None:
        assert (ctx.get(echo.pins.cipo_oe), ctx.get(echo.peripheral.active)) == (0, 0)
        ctx.set(echo.pins.cs_n, 0)
        await ctx.tick().repeat(3)
        assert (ctx.get(echo.pins.cipo_oe), ctx.get(echo.peripheral.active)) == (1, 1)

    with_echo(body)
