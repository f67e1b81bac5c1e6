"""UartPort: the host's SerialTransport at its pins, in front of registers and memories that the test plays."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from narrows.hw.ports.uart_port import UartPort
from narrows.hw.spec import link
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.link import Command, LinkStatus
from narrows.hw.spec.registers import ADDRESS_BITS, REGION_BITS, VERSION, Region
from narrows.sw.runtime import TransportError
from narrows.sw.runtime.serial_frames import encode_request, parse_reply, reply_bytes
from narrows.sw.runtime.serial_transport import SerialTransport
from pin_line import PinLine

CONFIG = AcceleratorConfig(host="uart", uart_divisor=4)
GAP = 40
"""Silence in place of GAP_BITS: a simulated one of that length takes seconds."""


class Memory:
    """What is behind the host's bus: one dictionary of words, and a list of writes in order."""

    def __init__(self) -> None:
        self.words: dict[tuple[int, int], int] = {}
        self.writes: list[tuple[int, int, int]] = []


def with_port(
    body: Callable[[Any, Any, PinLine, Memory], Awaitable[None]],
    *,
    scale: float = 1.0,
    config: AcceleratorConfig = CONFIG,
) -> None:
    """Run ``body(ctx, port, line, memory)`` against a fresh port."""
    port: Any = UartPort(config)
    memory = Memory()
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.port = port

    async def bench(ctx: Any) -> None:
        await ctx.tick()
        await body(
            ctx, port, PinLine(ctx, port.pins.rx, port.pins.tx, divisor=config.uart_divisor, scale=scale), memory
        )

    async def behind(ctx: Any) -> None:
        async for *_, write, region, offset, value in ctx.tick().sample(
            port.bus.write, port.bus.write_region, port.bus.write_offset, port.bus.write_data
        ):
            if write:
                memory.words[int(region), offset] = value
                memory.writes.append((int(region), offset, value))
            place = int(ctx.get(port.bus.read_region)), ctx.get(port.bus.read_offset)
            ctx.set(port.bus.read_data, memory.words.get(place, 0))

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_testbench(behind, background=True)
    simulator.run()


@pytest.fixture(autouse=True)
def _short_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.hw.ports.uart_port.GAP_BITS", GAP)
    monkeypatch.setattr("narrows.sw.runtime.serial_transport._PATIENCE_BITS", GAP + 20)


def address(region: Region, offset: int) -> int:
    return (region << REGION_BITS) + 4 * offset


@pytest.mark.parametrize("scale", [0.97, 1.0, 1.03])
def test_words_written_are_the_words_read_even_off_the_exact_speed(scale: float) -> None:
    config = AcceleratorConfig(host="uart", uart_divisor=20)

    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        transport = await SerialTransport.open(line)
        values = np.random.default_rng(3).integers(0, 1 << 32, 4, dtype=np.uint32)
        await transport.write(address(Region.ACTIVATIONS, 7), values)
        assert memory.writes == [(Region.ACTIVATIONS, 7 + number, int(value)) for number, value in enumerate(values)]
        np.testing.assert_array_equal(await transport.read(address(Region.ACTIVATIONS, 7), 4), values)
        assert transport.repeated == 0

    with_port(body, scale=scale, config=config)


def test_the_hello_says_what_the_core_is() -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        info = (await SerialTransport.open(line)).info
        assert (info.config, info.build) == (CONFIG.hash32, CONFIG.build32)
        assert (info.version, info.max_words, info.divisor) == (VERSION, link.MAX_WORDS, 4)

    with_port(body)


def test_bursts_longer_than_the_buffer_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.hw.ports.serial_link.MAX_WORDS", 6)
    monkeypatch.setattr(link, "MAX_WORDS", 6)

    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        transport = await SerialTransport.open(line)
        values = np.arange(8, dtype=np.uint32)
        await transport.write(address(Region.WEIGHTS, 0), values)
        np.testing.assert_array_equal(await transport.read(address(Region.WEIGHTS, 0), len(values)), values)

    with_port(body)


async def ask(line: PinLine, frame: bytes, words: int = 0) -> Any:
    await line.write(frame)
    return parse_reply(await line.read(reply_bytes(words), GAP + 20))


def test_a_write_asked_for_twice_is_carried_out_once() -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        await SerialTransport.open(line, sequence=6)
        frame = encode_request(Command.WRITE, sequence=9, address=0x10, words=np.array([1], dtype=np.uint32))
        for _ in range(3):
            reply = await ask(line, frame)
            assert (reply.sequence, reply.status) == (9, LinkStatus.OK)
        assert len(memory.writes) == 1

    with_port(body)


def test_a_harmed_frame_has_no_effect_and_the_next_behind_a_gap_has() -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        await SerialTransport.open(line)
        good = encode_request(Command.WRITE, sequence=9, address=0x10, words=np.array([0xA5A5, 7], dtype=np.uint32))
        rng = np.random.default_rng(1)
        harmed = [good[:cut] for cut in (1, 4, 9, 13, len(good) - 1)]
        harmed += [good[:at] + good[at + 1 :] for at in (2, 5, 10)]
        harmed += [good[:3] + bytes([count]) + good[4:] for count in (0, 1, 3, 129, 255)]
        for _ in range(6):
            place, bit = int(rng.integers(0, len(good))), int(rng.integers(0, 8))
            harmed.append(good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :])
        for frame in harmed:
            assert await ask(line, frame) is None, frame.hex()
            assert memory.writes == []
        assert (await ask(line, good)).status == LinkStatus.OK
        assert memory.writes == [(0, 4, 0xA5A5), (0, 5, 7)]

    with_port(body)


def test_a_missing_stop_bit_ends_a_frame_and_a_line_held_low_ends_nothing_else() -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        transport = await SerialTransport.open(line)
        frame = encode_request(Command.READ, sequence=9, address=0, count=1)
        await line.write(frame[:5])
        await line.send_bits([0] * 30 + [1])
        assert await ask(line, frame[5:], 1) is None
        await transport.write(0x10, np.array([3], dtype=np.uint32))
        assert memory.writes == [(0, 4, 3)] and transport.repeated <= 1

    with_port(body)


def test_noise_between_frames_is_skipped() -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        transport = await SerialTransport.open(line)
        await line.write(bytes([0x00, 0xFF, 0x5A, 0x42]))
        await transport.write(0x10, np.array([3], dtype=np.uint32))
        assert memory.writes == [(0, 4, 3)] and transport.repeated == 0

    with_port(body)


def test_memories_are_refused_while_busy_and_registers_are_not() -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        transport = await SerialTransport.open(line)
        ctx.set(port.bus.busy, 1)
        with pytest.raises(TransportError, match="the core refused an access within 2 words from address 0x1800004"):
            await transport.write(address(Region.ACTIVATIONS, 1), np.array([1, 2], dtype=np.uint32))
        with pytest.raises(TransportError, match="the core refused"):
            await transport.read(address(Region.ACTIVATIONS, 1), 2)
        await transport.write(0x10, np.array([3], dtype=np.uint32))
        assert memory.writes == [(0, 4, 3)]

    with_port(body)


@pytest.mark.parametrize("wrong", [2, 1 << ADDRESS_BITS])
def test_addresses_that_are_none_are_refused(wrong: int) -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        transport = await SerialTransport.open(line)
        with pytest.raises(TransportError, match="the core refused"):
            await transport.write(wrong, np.array([1], dtype=np.uint32))
        with pytest.raises(TransportError, match="the core refused"):
            await transport.read(wrong, 1)
        assert memory.writes == []

    with_port(body)


def test_before_a_hello_everything_else_is_turned_away() -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        for command, words in ((Command.READ, None), (Command.WRITE, np.zeros(1, dtype=np.uint32))):
            reply = await ask(line, encode_request(command, sequence=0, address=0, count=1, words=words))
            assert reply.status is LinkStatus.NO_SESSION
        await SerialTransport.open(line)
        reply = await ask(line, encode_request(7, sequence=9, count=1))  # type: ignore[arg-type]
        assert reply.status is LinkStatus.UNKNOWN
        assert memory.writes == []

    with_port(body)


def test_a_host_finds_no_core_where_there_is_none() -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        deaf = PinLine(ctx, port.bus.read_data, port.pins.tx, divisor=4)
        with pytest.raises(TransportError, match="no core answers on the serial line after 8 tries"):
            await SerialTransport.open(deaf)

    with_port(body)


FRAMES = dataclasses.replace(CONFIG, frame_bytes=1024)
FRAME_BASE = Region.FRAME << REGION_BITS


def frame_request(words: list[int], *, address: int = FRAME_BASE, sequence: int = 1) -> bytes:
    return encode_request(Command.FRAME, sequence=sequence, address=address, words=np.array(words, dtype=np.uint32))


@pytest.mark.parametrize("fabric", ["ecp5", "ice40"])
def test_a_frame_is_written_as_it_comes_in_one_request(fabric: str) -> None:
    words = np.random.default_rng(5).integers(0, 1 << 32, 40).tolist()

    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        transport = await SerialTransport.open(line)
        await transport.write_frame(FRAME_BASE, np.array(words, dtype=np.uint32))
        filled = [*words, *[0] * 8]
        assert memory.writes == [(int(Region.FRAME), place, word) for place, word in enumerate(filled)]
        await transport.write(0x10, np.array([7], dtype=np.uint32))
        assert memory.writes[-1] == (0, 4, 7)
        assert (await transport.read(0x10, 1)).tolist() == [7]

    with_port(body, config=dataclasses.replace(FRAMES, fabric=fabric))


@pytest.mark.parametrize(
    ("address", "opened", "status"),
    [
        (Region.WEIGHTS << REGION_BITS, True, LinkStatus.REFUSED),
        (FRAME_BASE + 2, True, LinkStatus.REFUSED),
        (FRAME_BASE, False, LinkStatus.NO_SESSION),
    ],
)
def test_a_frame_goes_to_the_frame_memory_alone(address: int, opened: bool, status: LinkStatus) -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        if opened:
            await SerialTransport.open(line)
        await line.write(frame_request([1] * 16, address=address, sequence=9))
        reply = parse_reply(await line.read(reply_bytes(0), 400))
        assert reply is not None
        assert (reply.sequence, reply.status, memory.writes) == (9, status, [])

    with_port(body, config=FRAMES)


def test_a_harmed_frame_is_not_answered_and_comes_again() -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        await SerialTransport.open(line)
        request = bytearray(frame_request([*range(32)]))
        request[40] ^= 4
        await line.write(bytes(request))
        assert await line.read(1, GAP + 20) == b""
        await line.write(frame_request([*range(32)]))
        reply = parse_reply(await line.read(reply_bytes(0), 400))
        assert reply is not None
        assert reply.status is LinkStatus.OK
        assert [memory.words[int(Region.FRAME), place] for place in range(32)] == [*range(32)]

    with_port(body, config=FRAMES)


def test_a_core_without_a_frame_memory_knows_no_frames() -> None:
    async def body(ctx: Any, port: Any, line: PinLine, memory: Memory) -> None:
        await SerialTransport.open(line)
        await line.write(encode_request(Command.FRAME, sequence=3, address=FRAME_BASE, count=1))
        reply = parse_reply(await line.read(reply_bytes(0), 400))
        assert reply is not None
        assert (reply.status, memory.writes) == (LinkStatus.UNKNOWN, [])

    with_port(body)
