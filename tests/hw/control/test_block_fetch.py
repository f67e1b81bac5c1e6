"""BlockFetch: where the words of every job lie, tile by tile."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth_bench import simulate
from narrows.hw.control.block_fetch import BlockFetch
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline

TILES, PITCH, BASE, BLOCKS = 11, 9, 5, (0, 3)  # weight_base of each block


@pytest.mark.parametrize("diagonal", [0, 1])
@pytest.mark.parametrize(
    ("columns", "lanes", "period"), [(4, 16, 4), (4, 16, 3), (4, 16, 6), (8, 16, 2), (4, 4, 4), (6, 4, 2)]
)
def test_weights_of_every_job_and_the_lanes_that_count(columns: int, lanes: int, period: int, diagonal: int) -> None:
    config = AcceleratorConfig(columns=columns, lanes=lanes, rescalers=2, blocks=16)
    dut: Any = BlockFetch(config)
    found: list[tuple[int, ...]] = []

    async def bench(ctx: Any) -> None:
        fields = dut.instruction.fields
        values = {"block_count": len(BLOCKS), "column_groups": TILES, "channel_period": period, "diagonal": diagonal}
        for name, value in {**values, "weight_pitch": PITCH, "weight_base": BASE, "channel_step": 7}.items():
            ctx.set(getattr(fields, name), value)
        ctx.set(dut.group_last, 1)
        asked = [0] * pipeline(config).block_read
        for cycle in range(400):
            ctx.set(dut.instruction.run, int(cycle > 3))
            ctx.set(dut.group_valid, int(cycle > 3))
            asked = [*asked, ctx.get(dut.blocks.address)]
            place = asked[-1 - pipeline(config).block_read]
            block = dut.blocks.data
            ctx.set(block.weight_base, BLOCKS[place % len(BLOCKS)])
            ctx.set(block.base, 2 * BLOCKS[place % len(BLOCKS)])
            ctx.set(block.groups, 1)
            ctx.set(block.tap_count, 1)
            put = ctx.get(dut.put)
            if put:
                job = dut.job
                own = (ctx.get(job.lanes.apart), ctx.get(job.lanes.place)) if config.diagonals > 1 else ()
                found.append((ctx.get(job.weight), ctx.get(job.base), *own))
            ctx.set(dut.started, put)
            await ctx.tick()

    simulate(dut, bench)
    shares = diagonal and config.diagonals > 1
    assert found == [
        (
            BASE + PITCH * (tile // period if shares else tile) + block,
            7 * (tile // period) + 2 * block,
            *((diagonal, tile % period % config.diagonals) if config.diagonals > 1 else ()),
        )
        for tile in range(TILES)
        for block in BLOCKS
    ]
