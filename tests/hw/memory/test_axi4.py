"""BurstWalker: the bursts of the contract, in order, whoever takes them; nothing beyond the window."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from amaranth_bench import simulate
from narrows.hw.memory.axi4 import BurstWalker
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.transfer import PAGE, bursts

SEED = 9


def walk(bus_bits: int, external: int, size: int, pitch: int, lines: int, limit: int) -> tuple[list[Any], bool]:
    """Bursts that are offered, and whether the walk leaves the window."""
    config = dataclasses.replace(PRESETS["tiny"], backing="axi4", bus_bits=bus_bits)
    dut: Any = BurstWalker(config)
    found: list[Any] = []
    outside = False
    rng = np.random.default_rng(SEED)

    async def bench(ctx: Any) -> None:
        nonlocal outside
        values = {"external": external, "line_bytes": size, "external_pitch": pitch, "lines": lines, "limit": limit}
        for name, value in values.items():
            ctx.set(getattr(dut, name), value)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        while ctx.get(dut.busy) and not outside:
            ready = int(rng.integers(2))
            ctx.set(dut.bursts.ready, ready)
            if ready and ctx.get(dut.bursts.valid):
                payload = ctx.get(dut.bursts.payload)
                found.append((payload["address"], payload["length"] + 1))
            outside = bool(ctx.get(dut.outside))
            await ctx.tick()
        ctx.set(dut.cancel, 1)
        ctx.set(dut.bursts.ready, 0)
        await ctx.tick()
        assert not ctx.get(dut.busy)

    simulate(dut, bench)
    return found, outside


@pytest.mark.parametrize("bus_bits", [32, 64, 128])
def test_lines_become_the_bursts_of_the_contract(bus_bits: int) -> None:
    config = dataclasses.replace(PRESETS["tiny"], backing="axi4", bus_bits=bus_bits)
    rng = np.random.default_rng(SEED)
    for _ in range(10):
        external, size = 4 * int(rng.integers(0, 5000)), 4 * int(rng.integers(1, 1000))
        pitch, lines = 4 * int(rng.integers(0, 2000)), int(rng.integers(1, 4))
        expected = [tuple(burst) for line in range(lines) for burst in bursts(config, external + line * pitch, size)]
        assert walk(bus_bits, external, size, pitch, lines, 1 << 20) == (expected, False), SEED


@pytest.mark.parametrize(
    ("external", "size", "limit", "count"),
    [
        (PAGE - 64, 64, PAGE, 1),
        (PAGE - 64, 68, PAGE, 0),
        (PAGE - 64, 64, PAGE - 1, 0),  # a limit within a page counts as the page's begin
        (0xFFFFFFC0, 64, 0xFFFFF000, 0),
        (0xFFFFFFC0, 128, 0xFFFFF000, 0),
        (0, 4, 0, 0),
    ],
)
def test_a_line_that_leaves_the_window_is_not_begun(external: int, size: int, limit: int, count: int) -> None:
    found, outside = walk(64, external, size, 0, 1, limit)
    assert (len(found), outside) == (count, not count)


def test_lines_before_the_one_that_leaves_the_window_are_moved() -> None:
    found, outside = walk(64, PAGE - 128, 64, 64, 3, PAGE)
    assert (found, outside) == ([(PAGE - 128, 8), (PAGE - 64, 8)], True)
