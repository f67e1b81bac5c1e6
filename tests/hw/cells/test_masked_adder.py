"""MaskedAdder: sums of random operands, masked or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from narrows.hw.cells.masked_adder import MaskedAdder


@pytest.mark.parametrize("width", [1, 2, 7, 20])
def test_the_second_operand_is_added_where_the_mask_is_set(width: int) -> None:
    dut: Any = MaskedAdder(width)
    rng = np.random.default_rng(width)
    cases = [
        (int(a), int(b), int(s), int(flip))
        for a, b, s, flip in zip(*rng.integers(0, 1 << width, (3, 50)), rng.integers(0, 2, 50), strict=True)
    ]
    got = []

    async def bench(ctx: Any) -> None:
        for a, b, s, flip in cases:
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            ctx.set(dut.s, s)
            ctx.set(dut.flip, flip)
            got.append(ctx.get(dut.y))

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert got == [((~a if flip else a) + (b & s)) % (1 << width) for a, b, s, flip in cases]
