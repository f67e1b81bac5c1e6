"""BootLoader: plays an image once and whole, or not at all; hands the host's port on behind that."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from amaranth_bench import simulate
from flash_pins import FlashPins
from narrows.hw.boot.boot_loader import BootLoader
from narrows.hw.spec.boot import BOOT_MAGIC, REPEAT, BootState, encode_image, image_tag, most_words
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import REGION_BITS, Control, Region, Register, region_address

OFFSET = 0x20000
CONFIG = AcceleratorConfig(
    rows=1, columns=1, lanes=4, rescalers=1, act_words=64, weight_words=64, param_words=16, taps=16, blocks=8,
    instructions=4, boot=1, flash_offset=OFFSET, flash_divisor=1,
)  # fmt: skip
RNG = np.random.default_rng(11)
BURSTS = [
    (region_address(CONFIG, Region.WEIGHTS, 3), RNG.integers(0, 1 << 32, 5, dtype=np.uint32)),
    (region_address(CONFIG, Region.ACTIVATIONS), np.zeros(64, dtype=np.uint32)),
    (Register.PROGRAM_CONFIG.offset, np.array([CONFIG.hash32], dtype=np.uint32)),
    (region_address(CONFIG, Region.ACTIVATIONS, 9), np.array([1, 2, 3], dtype=np.uint32)),
]
IMAGE = encode_image(BURSTS)
WRITES = [(address + 4 * place, int(word)) for address, burst in BURSTS for place, word in enumerate(burst)]
SPOILT = (Register.PROGRAM_CONFIG.offset, ~CONFIG.hash32 & 0xFFFFFFFF)
WORD_CYCLES = 64
LIMIT = 5000 + WORD_CYCLES * (1 << most_words(CONFIG).bit_length())


class Play:
    """A loader before a flash; what it wrote, and how it ended."""

    def __init__(self, image: bytes, second: bytes | None = None) -> None:
        self.dut: Any = BootLoader(CONFIG)
        self.chip = FlashPins(self.dut.pins, {OFFSET + place: byte for place, byte in enumerate(image)})
        self.second = second
        self.writes: list[tuple[int, int]] = []
        self.state = BootState.ABSENT
        self.tag = self.cycles = 0

    async def step(self, ctx: Any) -> None:
        """A cycle."""
        await ctx.tick()
        self.chip.step(ctx)
        if self.second is not None and len(self.chip.commands) == 2:  # woken, read once
            self.chip.content = {OFFSET + place: byte for place, byte in enumerate(self.second)}
        bus = self.dut.bus
        if ctx.get(bus.write):
            region, offset = int(ctx.get(bus.write_region)), ctx.get(bus.write_offset)
            self.writes.append((region << REGION_BITS | offset << 2, ctx.get(bus.write_data)))

    async def boot(self, ctx: Any) -> None:
        """To its end."""
        while ctx.get(self.dut.boot.busy):
            assert ctx.get(self.dut.host.busy)
            await self.step(ctx)
            self.cycles += 1
            assert self.cycles < LIMIT
        self.state, self.tag = BootState(int(ctx.get(self.dut.boot.state))), ctx.get(self.dut.boot.tag)

    def run(self) -> Play:
        """Simulate it."""
        simulate(self.dut, self.boot)
        assert self.chip.objections == []
        return self


def test_an_image_is_played_once_in_its_order() -> None:
    play = Play(IMAGE).run()
    assert play.writes == WRITES
    assert (play.state, play.tag) == (BootState.LOADED, image_tag(IMAGE))
    assert len(play.chip.commands) == 2  # the second read lasts until it is over, too


def test_an_image_without_records_is_one() -> None:
    play = Play(encode_image([])).run()
    assert (play.writes, play.state) == ([], BootState.LOADED)


@pytest.mark.parametrize("bit", [0, 17, 31, 34, 40, 60, *range(64, 8 * len(IMAGE), 61)])
def test_a_flipped_bit_starts_nothing(bit: int) -> None:
    flipped = bytearray(IMAGE)
    flipped[bit // 8] ^= 1 << bit % 8
    play = Play(bytes(flipped)).run()
    assert play.writes == []
    assert play.state is (BootState.BAD_MAGIC if bit < 32 else BootState.BAD_CRC)


@pytest.mark.parametrize(
    ("image", "state"),
    [
        (b"", BootState.EMPTY),
        (IMAGE[:3], BootState.BAD_MAGIC),
        (IMAGE[:-1], BootState.BAD_CRC),
        (IMAGE[:-4], BootState.BAD_CRC),
        (IMAGE[:40], BootState.BAD_CRC),
        (bytes(4), BootState.BAD_MAGIC),
        (IMAGE[:4] + b"\xff" * 4 + IMAGE[8:], BootState.BAD_CRC),
    ],
)
def test_what_is_no_image_ends_the_boot_quietly(image: bytes, state: BootState) -> None:
    play = Play(image).run()
    assert (play.writes, play.state) == ([], state)


@pytest.mark.parametrize("seed", range(4))
def test_a_second_reading_that_differs_leaves_no_program_to_start(seed: int) -> None:
    bit = int(np.random.default_rng(seed).integers(8 * len(IMAGE)))
    flipped = bytearray(IMAGE)
    flipped[bit // 8] ^= 1 << bit % 8
    play = Play(IMAGE, bytes(flipped)).run()
    assert play.state is BootState.BAD_CRC, seed
    assert play.writes[-1] == SPOILT, seed


def test_an_image_cannot_start_a_run() -> None:
    start = np.array([Control.START], dtype=np.uint32)
    burst = np.array([7, Control.START, Control.START, 9], dtype=np.uint32)
    records = [(Register.CONTROL.offset, start), (Register.PROGRAM_CONFIG.offset, burst)]
    assert [address for address, _ in Play(encode_image(records)).run().writes] == [0x0C, 0x14, 0x18]


@pytest.mark.parametrize("body", [[0x18], [0x18, 5, 1], [0x18, 0], [REPEAT, 1 << 20]])
def test_malformed_records_end_with_their_image(body: list[int]) -> None:
    image = np.array([BOOT_MAGIC, len(body), *body], dtype=np.uint32).tobytes()
    play = Play(image + zlib.crc32(image).to_bytes(4, "little")).run()
    assert play.state is BootState.LOADED
    assert len(play.writes) <= 1


def test_an_image_longer_than_any_is_not_read_to_its_end() -> None:
    length = 2 << most_words(CONFIG).bit_length()
    play = Play(np.array([BOOT_MAGIC, length], dtype=np.uint32).tobytes()).run()
    assert play.state is BootState.BAD_CRC
    assert play.cycles < 4500 + 3 * WORD_CYCLES


def test_the_port_is_refused_until_the_boot_has_ended_and_heard_from_then_on() -> None:
    play = Play(IMAGE)
    host = play.dut.host

    async def bench(ctx: Any) -> None:
        async def write(region: Region, offset: int, data: int) -> bool:
            ctx.set(host.write_region, region)
            ctx.set(host.write_offset, offset)
            ctx.set(host.write_data, data)
            ctx.set(host.write, 1)
            ctx.set(host.starts, 1)
            refused = bool(ctx.get(play.dut.bus.refused))
            assert ctx.get(play.dut.bus.starts) != refused
            heard = ctx.get(play.dut.bus.write_region) == region and ctx.get(play.dut.bus.write_data) == data
            assert refused or (heard and ctx.get(play.dut.bus.write) and ctx.get(play.dut.bus.write_offset) == offset)
            await play.step(ctx)
            ctx.set(host.write, 0)
            ctx.set(host.starts, 0)
            return refused

        ctx.set(play.dut.bus.read_data, 0x1234)
        ctx.set(host.conflict, 1)
        assert await write(Region.REGISTERS, 4, 1)
        assert not ctx.get(play.dut.bus.conflict)
        ctx.set(host.conflict, 0)
        await play.boot(ctx)
        assert play.writes == WRITES
        assert not ctx.get(host.busy)
        assert ctx.get(host.read_data) == 0x1234
        assert not await write(Region.ACTIVATIONS, 5, 77)
        assert BootState(int(ctx.get(play.dut.boot.state))) is BootState.LOADED
        await write(Region.INSTRUCTIONS, 0, 1)
        await play.step(ctx)
        assert BootState(int(ctx.get(play.dut.boot.state))) is BootState.REPLACED

    simulate(play.dut, bench)
