"""host_write: every region sees its own writes, perhaps a cycle later and from registers of its own."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth_bench import simulate
from narrows.hw.ports.host_bus import HOST_BUS
from narrows.hw.ports.host_write import host_write
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import REGION_BITS, Region

SMALL = AcceleratorConfig(fabric="ice40")
LARGE = AcceleratorConfig(rows=6, columns=8, lanes=16, rescalers=8)


@pytest.mark.parametrize(("config", "delay"), [(SMALL, 0), (AcceleratorConfig(), 1), (LARGE, 1)])
def test_a_region_sees_the_writes_that_are_its_own(config: AcceleratorConfig, delay: int) -> None:
    rng = random.Random(7)
    m, host = Module(), HOST_BUS.create()
    writes = {region: host_write(m, config, host, region) for region in Region}
    shown = [
        (rng.random() < 0.7, rng.choice(list(Region)), rng.getrandbits(REGION_BITS - 2), rng.getrandbits(32))
        for _ in range(300)
    ]
    seen: list[tuple[int, Region, int, int]] = []

    async def bench(ctx: Any) -> None:
        for cycle, (write, region, offset, data) in enumerate([*shown, (False, Region.WEIGHTS, 0, 0)]):
            ctx.set(host.write, write)
            ctx.set(host.write_region, region)
            ctx.set(host.write_offset, offset)
            ctx.set(host.write_data, data)
            for place, port in writes.items():
                if ctx.get(port.enable):
                    seen.append((cycle - delay, place, ctx.get(port.offset), ctx.get(port.data)))
            await ctx.tick()

    simulate(m, bench)
    assert seen == [(cycle, *what) for cycle, (write, *what) in enumerate(shown) if write]
