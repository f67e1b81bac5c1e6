"""DotProduct: sums of signed products, one a cycle, after its pipeline's length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate
from narrows.hw.dot import DotProduct
from narrows.hw.operand import OPERAND, operand_bits
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.digits import NATIVE

OPERANDS = np.array([operand_bits(code) for code in range(16)])


def config(lanes: int, tree_stage: int) -> AcceleratorConfig:
    return AcceleratorConfig(rows=1, columns=1, lanes=lanes, rescalers=1, tree_stage=tree_stage)


@pytest.mark.parametrize(
    ("lanes", "tree_stage", "stages"),
    [
        (2, 1, 0),
        (4, 1, 1),
        (8, 1, 2),
        (8, 2, 1),
        (8, 6, 0),
        (16, 2, 1),
        (32, 2, 2),
        (32, 3, 1),
    ],
)
def test_dot_products_of_random_codes_are_exact(lanes: int, tree_stage: int, stages: int) -> None:
    machine = config(lanes, tree_stage)
    dut: Any = DotProduct(machine)
    assert DotProduct.stages(machine) == stages
    rng = np.random.default_rng(lanes * tree_stage)
    codes = rng.integers(0, 16, (60, 2, lanes))
    codes[:4] = np.array([[7, 7], [15, 7], [7, 15], [15, 15]])[:, :, np.newaxis]  # the largest sums of either sign
    got = []

    async def bench(ctx: Any) -> None:
        for cycle in range(len(codes) + stages):
            x, w = codes[min(cycle, len(codes) - 1)]
            ctx.set(dut.x.as_value(), pack(OPERANDS[x], OPERAND.size))
            ctx.set(dut.w.as_value(), pack(OPERANDS[w], OPERAND.size))
            if stages == 0:
                await ctx.delay(1e-9)
            if cycle >= stages:
                total = ctx.get(dut.total)
                got.append(-total if ctx.get(dut.negative) else total)
            await ctx.tick()

    simulate(dut, bench)
    expected = (NATIVE.decode(codes[:, 0]) * NATIVE.decode(codes[:, 1])).sum(axis=1)
    assert got == expected.tolist()
