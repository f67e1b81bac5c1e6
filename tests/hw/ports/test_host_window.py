"""HostWindow: every region sees its own writes, perhaps later, and a read chooses among the words shown."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth_bench import simulate
from narrows.hw.ports.host_window import HostWindow
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline
from narrows.hw.spec.registers import REGION_BITS, Region, region_depth, region_stride

SMALL = AcceleratorConfig(fabric="ice40", tables=1, entry=1, frame_bytes=64, streams=1)
LARGE = AcceleratorConfig(rows=6, columns=8, lanes=16, rescalers=8, tables=1, frame_bytes=1024, streams=1)


@pytest.mark.parametrize(
    ("config", "delay"), [(SMALL, 0), (AcceleratorConfig(tables=1, frame_bytes=256, streams=1), 2), (LARGE, 2)]
)
def test_a_region_sees_the_writes_that_are_its_own(config: AcceleratorConfig, delay: int) -> None:
    rng = random.Random(7)
    dut: Any = HostWindow(config)
    regions = [region for region in Region if region is not Region.CHECKSUMS]
    shown = [
        (rng.random() < 0.7, rng.choice(list(Region)), rng.getrandbits(width), rng.getrandbits(32))
        for width in rng.choices(range(2, REGION_BITS - 1), k=300)
    ]
    seen: list[tuple[int, Region, int, int]] = []

    async def bench(ctx: Any) -> None:
        for cycle, (write, region, offset, data) in enumerate(
            [*shown, *[(False, Region.WEIGHTS, 0, 0)] * max(delay, 1)]
        ):
            ctx.set(dut.bus.write, write)
            ctx.set(dut.bus.write_region, region)
            ctx.set(dut.bus.write_offset, offset)
            ctx.set(dut.bus.write_data, data)
            for place in regions:
                port = getattr(dut, f"{place.name.lower()}_write")
                if ctx.get(port.enable):
                    late = max(delay - 1, 0) if place is Region.REGISTERS else delay
                    seen.append((cycle - late, place, ctx.get(port.offset), ctx.get(port.data)))
            await ctx.tick()

    simulate(dut, bench)
    ends = {region: region_depth(config, region) * region_stride(config, region) // 4 for region in regions}
    written = [(cycle, *what) for cycle, (write, *what) in enumerate(shown) if write and what[0] in regions]
    expected = [what for what in written if what[2] < ends[what[1]]]
    assert sorted(seen) == expected
    assert 0 < len(expected) < len(written)


def test_a_read_takes_the_word_of_its_region() -> None:
    config = AcceleratorConfig()
    dut: Any = HostWindow(config)
    words = {Region.REGISTERS: 11, Region.ACTIVATIONS: 22, Region.CHECKSUMS: 33}

    async def bench(ctx: Any) -> None:
        for region, word in words.items():
            ctx.set(getattr(dut, f"{region.name.lower()}_word"), word)
        for region in Region:
            ctx.set(dut.bus.read_region, region)
            ctx.set(dut.bus.read_offset, region + 5)
            assert ctx.get(dut.offset) == region + 5
            await ctx.tick().repeat(pipeline(config).host_word)
            assert ctx.get(dut.bus.read_data) == words.get(region, 0)

    simulate(dut, bench)


@pytest.mark.parametrize("config", [SMALL, LARGE])
def test_the_bus_hears_of_a_start_at_once_and_of_a_run_a_cycle_late(config: AcceleratorConfig) -> None:
    dut: Any = HostWindow(config)
    starting = max(pipeline(config).host_write - 1, 0) + 1  # cycles until the registers have it

    async def bench(ctx: Any) -> None:
        async def heard(cycles: int, **inputs: int) -> list[int]:
            for name, value in inputs.items():
                ctx.set(dut.bus.starts if name == "starts" else getattr(dut, name), value)
            found = []
            for _ in range(cycles):
                found.append(ctx.get(dut.bus.busy))
                await ctx.tick()
            return found

        assert await heard(2) == [0, 0]
        assert await heard(1, starts=1) == [1]
        assert await heard(starting + 1, starts=0) == [1] * (starting - 1) + [0, 0], "nobody said that it is busy"
        assert await heard(3, busy=1) == [0, 1, 1]
        assert await heard(3, busy=0) == [1, 0, 0]
        assert await heard(2, deaf=1) == [0, 0]
        assert await heard(2, starts=1) == [0, 0], "it will not start"

    simulate(dut, bench)
