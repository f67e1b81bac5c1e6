"""DotProduct: sums of signed products, one a cycle, after its pipeline's length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate
from narrows.hw.array.dot import DotProduct
from narrows.hw.array.operand import operand_bits, operand_layout
from narrows.hw.spec.config import FABRICS, AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline


def config(base: str, lanes: int, tree_stage: int, fabric: str) -> AcceleratorConfig:
    return AcceleratorConfig(
        base=base, rows=1, columns=1, lanes=lanes, rescalers=1, tree_stage=tree_stage, fabric=fabric
    )


@pytest.mark.parametrize("fabric", FABRICS)
@pytest.mark.parametrize(
    ("base", "lanes", "tree_stage", "stages"),
    [
        ("dybit4", 2, 1, 0),
        ("dybit4", 4, 1, 1),
        ("dybit4", 8, 1, 2),
        ("dybit4", 8, 2, 1),
        ("dybit4", 8, 6, 0),
        ("dybit4", 16, 2, 1),
        ("dybit4", 32, 2, 2),
        ("dybit4", 32, 3, 1),
        ("e2m1", 16, 2, 1),
        ("e3m0", 4, 1, 1),
        ("int4", 16, 2, 1),
        ("dybit3", 8, 2, 1),
        ("int3", 8, 1, 2),
        ("dybit2", 32, 2, 2),
    ],
)
def test_dot_products_of_random_codes_are_exact(
    base: str, lanes: int, tree_stage: int, stages: int, fabric: str
) -> None:
    machine = config(base, lanes, tree_stage, fabric)
    fmt, operand = machine.digits.base, operand_layout(machine.digits.base)
    operands = np.array([operand_bits(fmt, code) for code in range(1 << fmt.bits)])
    dut: Any = DotProduct(machine)
    assert pipeline(machine).dot_product == stages
    rng = np.random.default_rng(lanes * tree_stage)
    codes = rng.integers(0, 1 << fmt.bits, (60, 2, lanes))
    low, high = (1 << fmt.bits) - 1, (1 << fmt.magnitude_bits) - 1
    codes[:4] = np.array([[high, high], [low, high], [high, low], [low, low]])[
        :, :, np.newaxis
    ]  # the largest sums of either sign
    got = []

    async def bench(ctx: Any) -> None:
        for cycle in range(len(codes) + stages):
            x, w = codes[min(cycle, len(codes) - 1)]
            ctx.set(dut.x.as_value(), pack(operands[x], operand.size))
            ctx.set(dut.w.as_value(), pack(operands[w], operand.size))
            if stages == 0:
                await ctx.delay(1e-9)
            if cycle >= stages:
                total = ctx.get(dut.total)
                got.append((~total if ctx.get(dut.inverted) else total) + ctx.get(dut.negative))
            await ctx.tick()

    simulate(dut, bench)
    expected = (fmt.decode(codes[:, 0]) * fmt.decode(codes[:, 1])).sum(axis=1)
    assert got == expected.tolist()
