"""TableMemory: every rescaler finds what the host wrote, each at its own address."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth_bench import pack, simulate, unpack
from narrows.hw.memory.table_memory import TableMemory
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline
from narrows.hw.spec.registers import Region, region_depth, region_stride


def test_all_copies_hold_the_same() -> None:
    config = AcceleratorConfig(rows=2, columns=2, lanes=4, rescalers=2, drain_rows=2, tables=1)
    dut: Any = TableMemory(config)
    rng = np.random.default_rng(1)
    depth, count = region_depth(config, Region.TABLES), config.drain_rows * config.rescalers
    levels = rng.integers(0, 1 << config.level_bits, depth)
    address_bits = (depth - 1).bit_length()

    async def bench(ctx: Any) -> None:
        for address, level in enumerate(levels.tolist()):
            ctx.set(dut.host.enable, 1)
            ctx.set(dut.host.offset, address * region_stride(config, Region.TABLES) // 4)
            ctx.set(dut.host.data, level)
            await ctx.tick()
        ctx.set(dut.host.enable, 0)
        for _ in range(20):
            asked = rng.integers(0, depth, count)
            ctx.set(dut.read.address.as_value(), pack(asked, address_bits))
            await ctx.tick().repeat(pipeline(config).table_read)
            assert unpack(ctx.get(dut.read.data.as_value()), config.level_bits, count) == levels[asked].tolist()

    simulate(dut, bench)
