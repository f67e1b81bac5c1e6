"""DelayLine: every value comes out so many cycles later."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from amaranth_bench import simulate
from narrows.hw.cells.delay_line import DelayLine


@pytest.mark.parametrize("cycles", [2, 3, 4, 7, 8])
def test_values_come_out_so_many_cycles_later(cycles: int) -> None:
    dut: Any = DelayLine(width=11, cycles=cycles)
    values = np.random.default_rng(cycles).integers(0, 1 << 11, 60).tolist()

    async def bench(ctx: Any) -> None:
        for number, value in enumerate(values):
            ctx.set(dut.x, value)
            assert ctx.get(dut.y) == ([0] * cycles + values)[number], f"cycle {number}"
            await ctx.tick()

    simulate(dut, bench)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # of the component that was refused
def test_a_single_cycle_is_a_register() -> None:
    with pytest.raises(ValueError, match="cycles must be at least 2, not 1"):
        DelayLine(width=3, cycles=1)
    gc.collect()
