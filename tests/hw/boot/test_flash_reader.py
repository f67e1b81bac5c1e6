"""FlashReader: wakes the flash once, reads from its offset, stops its clock for who does not take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import simulate
from flash_pins import FlashPins
from narrows.hw.boot.flash_reader import FlashReader
from narrows.hw.spec.boot import REST_CYCLES
from narrows.hw.spec.config import AcceleratorConfig

OFFSET = 0x123400
DATA = np.random.default_rng(5).integers(0, 256, 40).tolist()
CONTENT = {OFFSET + place: value for place, value in enumerate(DATA)}


def reader(divisor: int) -> Any:
    return FlashReader(AcceleratorConfig(boot=1, flash_offset=OFFSET, flash_divisor=divisor))


@pytest.mark.parametrize(("divisor", "delay"), [(1, 1), (2, 1), (2, 3), (3, 5), (16, 1)])
def test_bytes_come_in_order_from_the_offset_and_again_after_a_pause(divisor: int, delay: int) -> None:
    dut = reader(divisor)
    chip = FlashPins(dut.pins, CONTENT, delay=delay)

    async def bench(ctx: Any) -> None:
        for count in (20, 7):
            ctx.set(dut.run, 1)
            ctx.set(dut.bytes.ready, 1)
            received = []
            while len(received) < count:
                await ctx.tick()
                chip.step(ctx)
                if ctx.get(dut.bytes.valid):
                    received.append(ctx.get(dut.bytes.payload))
                assert chip.now < 100_000
            assert received == DATA[:count]
            ctx.set(dut.run, 0)
            for _ in range(100 + 2 * divisor):
                await ctx.tick()
                chip.step(ctx)
            assert ctx.get(dut.pins.cs_n) and not ctx.get(dut.pins.sck)
        assert not ctx.get(dut.bytes.valid)

    simulate(dut, bench)
    read = bytes([0x0B, *OFFSET.to_bytes(3, "big"), 0])
    assert chip.commands == [bytes([0xAB]), read, read]
    assert chip.objections == []


def test_a_byte_takes_16_divisors_and_the_first_one_waits_for_the_wake() -> None:
    dut, arrivals = reader(2), []
    chip = FlashPins(dut.pins, CONTENT)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.run, 1)
        ctx.set(dut.bytes.ready, 1)
        while len(arrivals) < 4:
            await ctx.tick()
            chip.step(ctx)
            if ctx.get(dut.bytes.valid):
                arrivals.append(chip.now)

    simulate(dut, bench)
    assert np.diff(arrivals).tolist() == [32, 32, 32]
    assert REST_CYCLES + 48 * 4 < arrivals[0] < REST_CYCLES + 56 * 4 + 50


def test_it_rests_once_it_has_woken_the_flash_and_reads_nothing() -> None:
    dut = reader(1)
    chip = FlashPins(dut.pins, CONTENT)

    async def bench(ctx: Any) -> None:
        async def wait(resting: int) -> None:
            for _ in range(2 * REST_CYCLES):
                if ctx.get(dut.resting) == resting:
                    return
                await ctx.tick()
                chip.step(ctx)
            raise AssertionError(f"resting is never {resting}")

        assert not ctx.get(dut.resting), "the flash may sleep"
        ctx.set(dut.run, 1)
        ctx.set(dut.bytes.ready, 1)
        while not ctx.get(dut.bytes.valid):
            await ctx.tick()
            chip.step(ctx)
        assert not ctx.get(dut.resting), "it reads"
        ctx.set(dut.run, 0)
        await wait(1)
        ctx.set(dut.run, 1)
        await wait(0)

    simulate(dut, bench)


def test_bytes_that_nobody_takes_wait() -> None:
    dut, rng = reader(1), np.random.default_rng(3)
    chip = FlashPins(dut.pins, CONTENT)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.run, 1)
        received: list[int] = []
        while len(received) < len(DATA):
            ready = int(rng.random() < 0.03)
            ctx.set(dut.bytes.ready, ready)
            if ready and ctx.get(dut.bytes.valid):
                received.append(ctx.get(dut.bytes.payload))
            await ctx.tick()
            chip.step(ctx)
        assert received == DATA

    simulate(dut, bench)
    assert chip.objections == []
