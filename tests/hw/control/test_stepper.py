"""Stepper: the steps of a COMPUTE that come before they are allowed, and those that wait."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from amaranth_bench import simulate
from narrows.hw.control.stepper import Stepper
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline

CONFIG = AcceleratorConfig(rows=4, columns=4, lanes=8, rescalers=2, blocks=16)
TILES = 2
GO = 60  # long after the first steps could come


async def issued(
    ctx: Any, dut: Any, *, early: int, blocks: list[int], cycles: int, drain: int = 1
) -> list[tuple[int, int]]:
    """Cycle of each step of an instruction, and whether it is a tile's last; steps are allowed from cycle `GO` on."""
    found: list[tuple[int, int]] = []
    begins: list[int] = []
    taken: list[int] = []
    read = pipeline(CONFIG).block_read
    ctx.set(dut.instruction.fields.block_count, len(blocks))
    ctx.set(dut.instruction.fields.column_groups, TILES)
    ctx.set(dut.instruction.fields.channel_period, 1)
    ctx.set(dut.stepping.early, early)
    ctx.set(dut.drain_cycles, drain)
    ctx.set(dut.groups.payload.last, 1)
    ctx.set(dut.groups.valid, 1)
    asked = [0] * read
    for cycle in range(cycles):
        ctx.set(dut.instruction.run, int(cycle > 0))
        ctx.set(dut.stepping.go, int(cycle >= GO))
        asked.append(ctx.get(dut.blocks.address))
        ctx.set(dut.blocks.data.groups, 1)
        ctx.set(dut.blocks.data.tap_count, blocks[asked[-1 - read] % len(blocks)])
        if ctx.get(dut.step.flags.valid):
            found.append((cycle, ctx.get(dut.step.flags.last)))
            begins.append(cycle * ctx.get(dut.step.new_group))
        if ctx.get(dut.groups.ready):
            taken.append(cycle)
        await ctx.tick()
    first = [cycle for cycle in begins if cycle]
    assert taken == [cycle + pipeline(CONFIG).group for cycle in first], "a group is taken with its first step"
    assert len(first) == bool(found)
    return found


@pytest.mark.parametrize("blocks", [[5], [1], [2, 4], [1, 1, 1, 1, 1, 1], [3, 1]])
@pytest.mark.parametrize("early", [0, 1, 2, 4, 5, 63])
def test_so_many_steps_come_early_but_no_tile_ends(early: int, blocks: list[int]) -> None:
    dut: Any = Stepper(CONFIG)
    runs = []

    async def bench(ctx: Any) -> None:
        for _ in range(2):  # an instruction leaves nothing to the next one
            runs.append(await issued(ctx, dut, early=early, blocks=blocks, cycles=GO + 80))
            ctx.set(dut.stepping.go, 0)
            ctx.set(dut.instruction.run, 0)
            await ctx.tick()

    simulate(dut, bench)
    tile = sum(blocks)
    for steps in runs:
        assert len(steps) == TILES * tile
        assert [last for _, last in steps] == TILES * [*[0] * (tile - 1), 1]
        before = [cycle for cycle, _ in steps if cycle <= GO]
        assert len(before) == min(early, tile - 1)
        assert steps[len(before)][0] == GO + 1


@pytest.mark.parametrize("config", [AcceleratorConfig(prefetch=0), AcceleratorConfig(memories="single")])
def test_other_cores_know_nothing_of_it(config: AcceleratorConfig) -> None:
    assert not config.issues_early
    dut: Any = Stepper(config)
    counts = []

    async def bench(ctx: Any) -> None:
        counts.append(len(await issued(ctx, dut, early=5, blocks=[4], cycles=GO)))

    simulate(dut, bench)
    assert counts == [0]


@pytest.mark.parametrize("drain", [1, 2, 5, 9])
@pytest.mark.parametrize("blocks", [[1], [4], [2, 2]])
def test_a_tile_ends_when_the_one_before_has_drained(blocks: list[int], drain: int) -> None:
    dut: Any = Stepper(CONFIG)
    ends: list[int] = []

    async def bench(ctx: Any) -> None:
        steps = await issued(ctx, dut, early=0, blocks=blocks, cycles=GO + 80, drain=drain)
        ends.extend(cycle for cycle, last in steps if last)

    simulate(dut, bench)
    assert [after - before for before, after in pairwise(ends)] == [max(drain, sum(blocks))]
