"""DrainPace: as many cycles as the cycle model says that a tile drains."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from amaranth_bench import simulate
from narrows.hw.drain.pace import DrainPace
from narrows.hw.spec.config import AcceleratorConfig

CONFIG = AcceleratorConfig(rows=6, columns=12, lanes=4, rescalers=4, planes=5)


@pytest.mark.parametrize("drain_rows", [1, 2, 4])
def test_a_tile_drains_as_long_as_its_rows_granules_and_planes_say(drain_rows: int) -> None:
    config = dataclasses.replace(CONFIG, drain_rows=drain_rows)
    dut: Any = DrainPace(config)

    async def bench(ctx: Any) -> None:
        fields = dut.instruction.fields
        for rows in range(1, config.rows + 1):
            for planes in range(1, config.planes + 1):
                for is_max, cycles in ((0, -(-rows // drain_rows) * config.tile_granules * planes), (1, planes)):
                    ctx.set(fields.rows, rows)
                    ctx.set(fields.planes, planes)
                    ctx.set(dut.instruction.is_max, is_max)
                    await ctx.tick().repeat(3)
                    assert ctx.get(dut.cycles) == cycles

    simulate(dut, bench)
