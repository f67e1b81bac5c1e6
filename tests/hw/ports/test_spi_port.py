"""SpiPort: the host's SerialTransport over SPI at its pins, in front of a memory that the test plays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from narrows.hw.ports.spi_port import SpiPort
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.link import MAX_WORDS, SPI_DIVISOR, Command
from narrows.hw.spec.registers import VERSION, Region, region_address
from narrows.sw.runtime import TransportError
from narrows.sw.runtime.serial_frames import asked_bytes, encode_request, parse_reply
from narrows.sw.runtime.serial_transport import SerialTransport
from narrows.sw.runtime.spi_line import SpiLine
from pin_spi import PinSpiBus
from port_harness import Words, run_with_port

CONFIG = AcceleratorConfig(host="spi")
HALF = SPI_DIVISOR // 2


def with_port(
    body: Callable[[Any, Any, PinSpiBus, Words], Awaitable[None]], half: Callable[[], int] = lambda: HALF
) -> None:
    port: Any = SpiPort(CONFIG)

    async def bench(ctx: Any, words: Words) -> None:
        await body(ctx, port, PinSpiBus(ctx, port.pins, half=half), words)

    run_with_port(port, bench)


@pytest.mark.parametrize("slowest", [HALF, 3 * HALF])
def test_words_written_are_the_words_read(slowest: int) -> None:
    rng = np.random.default_rng(slowest)

    async def body(ctx: Any, port: Any, bus: PinSpiBus, words: Words) -> None:
        transport = await SerialTransport.open(SpiLine(bus))
        values = rng.integers(0, 1 << 32, 9, dtype=np.uint32)
        place = region_address(CONFIG, Region.ACTIVATIONS) + 28
        await transport.write(place, values)
        assert words == {(Region.ACTIVATIONS, 7 + number): int(value) for number, value in enumerate(values)}
        np.testing.assert_array_equal(await transport.read(place, len(values)), values)
        assert transport.repeated == 0

    with_port(body, lambda: int(rng.integers(HALF, slowest + 1)))


def test_a_full_burst_is_answered_within_the_bytes_that_the_host_waits() -> None:
    async def body(ctx: Any, port: Any, bus: PinSpiBus, words: Words) -> None:
        transport = await SerialTransport.open(SpiLine(bus))
        values = np.arange(MAX_WORDS, dtype=np.uint32)
        await transport.write(region_address(CONFIG, Region.ACTIVATIONS), values)
        np.testing.assert_array_equal(
            await transport.read(region_address(CONFIG, Region.ACTIVATIONS), MAX_WORDS), values
        )
        assert transport.repeated == 0

    with_port(body)


def test_the_hello_says_what_the_core_is() -> None:
    async def body(ctx: Any, port: Any, bus: PinSpiBus, words: Words) -> None:
        info = (await SerialTransport.open(SpiLine(bus))).info
        assert (info.config, info.build) == (CONFIG.hash32, CONFIG.build32)
        assert (info.version, info.max_words, info.divisor) == (VERSION, MAX_WORDS, SPI_DIVISOR)

    with_port(body)


def test_a_lost_pulse_has_no_effect_and_the_request_is_repeated() -> None:
    rng = np.random.default_rng(11)

    async def body(ctx: Any, port: Any, bus: PinSpiBus, words: Words) -> None:
        await SerialTransport.open(SpiLine(bus))
        lossy = PinSpiBus(ctx, port.pins, half=lambda: HALF, lost=lambda pulse: bool(rng.random() < 1 / 400))
        transport = await SerialTransport.open(SpiLine(lossy), sequence=100)
        for number in range(12):
            await transport.write(0x10, np.array([number, number + 1], dtype=np.uint32))
            assert words == {(0, 4): number, (0, 5): number + 1}
            np.testing.assert_array_equal(await transport.read(0x10, 2), [number, number + 1])
        assert transport.repeated > 0

    with_port(body)


def test_a_request_that_breaks_off_is_forgotten_where_the_core_is_deselected() -> None:
    async def body(ctx: Any, port: Any, bus: PinSpiBus, words: Words) -> None:
        transport = await SerialTransport.open(SpiLine(bus))
        frame = encode_request(Command.WRITE, sequence=9, address=0x10, words=np.array([1], dtype=np.uint32))
        for cut in (1, 3, 6, 10, len(frame) - 1):
            await bus.exchange(frame[:cut], 0)
            assert words == {}
        await transport.write(0x10, np.array([3], dtype=np.uint32))
        assert words == {(0, 4): 3} and transport.repeated == 0

    with_port(body)


def test_a_reply_that_nobody_hears_is_dropped() -> None:
    async def body(ctx: Any, port: Any, bus: PinSpiBus, words: Words) -> None:
        await SerialTransport.open(SpiLine(bus))
        words[0, 4] = 0x12345678
        frame = encode_request(Command.READ, sequence=9, address=0x10, count=1)
        for heard in (0, 3, 7):
            await bus.exchange(frame, heard)
            answer = await bus.exchange(frame, 16 + asked_bytes(frame))
            reply = parse_reply(answer.lstrip(b"\0")[: asked_bytes(frame)])
            assert reply is not None and reply.words.tolist() == [0x12345678]

    with_port(body)


def test_memories_are_refused_while_busy() -> None:
    async def body(ctx: Any, port: Any, bus: PinSpiBus, words: Words) -> None:
        transport = await SerialTransport.open(SpiLine(bus))
        ctx.set(port.bus.busy, 1)
        with pytest.raises(TransportError, match="the core refused an access"):
            await transport.write(region_address(CONFIG, Region.ACTIVATIONS), np.array([1], dtype=np.uint32))
        assert words == {}

    with_port(body)


def test_a_host_finds_no_core_where_there_is_none() -> None:
    class Nobody(PinSpiBus):
        async def exchange(self, out: bytes, count: int) -> bytes:
            return bytes(count)

    async def body(ctx: Any, port: Any, bus: PinSpiBus, words: Words) -> None:
        with pytest.raises(TransportError, match="no core answers"):
            await SerialTransport.open(SpiLine(Nobody(ctx, port, half=lambda: HALF)))

    with_port(body)
