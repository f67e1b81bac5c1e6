"""ComputeUnit: a word that is found damaged, whichever memory it is of, spoils the COMPUTE that uses it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from amaranth_bench import simulate
from narrows.hw.compute import COMPUTE_CHECKS, ComputeUnit
from narrows.hw.spec.config import AcceleratorConfig

CONFIG = AcceleratorConfig(
    rows=2, columns=1, lanes=2, rescalers=1, acc_bits=12, planes=1, act_words=64, protection="parity"
)
FIELDS = ("rows", "planes", "out_height", "out_width", "block_count", "column_groups", "channel_period")
MEMORIES = tuple(name for name, _ in COMPUTE_CHECKS if name != "tables")


@pytest.mark.parametrize("damaged", [*MEMORIES, None])
@pytest.mark.parametrize("fabric", ["ice40", "ecp5"])
def test_one_damaged_word_of_any_memory_is_enough(damaged: str | None, fabric: str) -> None:
    dut: Any = ComputeUnit(dataclasses.replace(CONFIG, fabric=fabric))
    said: dict[str, int] = {"damaged": 0, **dict.fromkeys(MEMORIES, 0)}

    async def bench(ctx: Any) -> None:
        ctx.set(dut.enable, 1)
        for name in ("rows", "out_height", "out_width"):
            ctx.set(dut.images.payload[name], 1)
        ctx.set(dut.images.valid, 1)
        for name in FIELDS:
            ctx.set(dut.unit.fields[name], 1)
        ctx.set(dut.blocks.data.groups, 1)
        ctx.set(dut.blocks.data.tap_count, 1)
        if damaged is not None:
            for check in getattr(dut, damaged).checks:
                ctx.set(check.damaged, 1)
        await ctx.tick()
        ctx.set(dut.images.valid, 0)
        ctx.set(dut.unit.run, 1)
        for _ in range(80):
            said["damaged"] |= ctx.get(dut.damaged)
            for name in MEMORIES:
                said[name] |= ctx.get(dut.checks[name].damaged)
            if ctx.get(dut.unit.issued):
                ctx.set(dut.unit.run, 0)
            await ctx.tick()

    simulate(dut, bench)
    assert said == {"damaged": int(damaged is not None), **{name: int(name == damaged) for name in MEMORIES}}
