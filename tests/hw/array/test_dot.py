"""DotProduct: sums of signed products, one a cycle, after its pipeline's length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate
from narrows.hw.array.dot import DotProduct
from narrows.hw.array.operand import act_operand, weight_operand
from narrows.hw.spec.config import FABRICS, AcceleratorConfig, bases_of
from narrows.hw.spec.pipeline import pipeline


def config(base: str, lanes: int, tree_stage: int, fabric: str) -> AcceleratorConfig:
    return AcceleratorConfig(
        **bases_of(base), rows=1, columns=1, lanes=lanes, rescalers=1, tree_stage=tree_stage, fabric=fabric
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
        ("dybit2xdybit4", 2, 1, 0),
        ("dybit2xdybit4", 16, 1, 3),
        ("dybit2xdybit4", 16, 2, 1),
        ("dybit2xdybit4", 16, 3, 1),
        ("dybit2xint4", 16, 2, 1),
        ("dybit3xdybit4", 16, 2, 1),
        ("dybit3xint4", 8, 1, 2),
        ("int3xdybit4", 16, 2, 1),
        ("dybit4xdybit2", 8, 2, 1),
        ("dybit2xint8", 8, 2, 1),
        ("dybit4xint8", 8, 2, 1),
        ("int5xint8", 16, 2, 1),
    ],
)
def test_dot_products_of_random_codes_are_exact(
    base: str, lanes: int, tree_stage: int, stages: int, fabric: str
) -> None:
    machine = config(base, lanes, tree_stage, fabric)
    kinds = act_operand(machine), weight_operand(machine)
    operands = [np.array([kind.bits(code) for code in range(1 << kind.base.bits)]) for kind in kinds]
    dut: Any = DotProduct(machine)
    stages += int(fabric == "ecp5")  # the root's
    assert pipeline(machine).dot_product == stages
    rng = np.random.default_rng(lanes * tree_stage)
    codes = np.stack([rng.integers(0, 1 << kind.base.bits, (60, lanes)) for kind in kinds], axis=1)
    # the largest sums of either sign
    ends = [kind.base.encode([kind.base.bottom, kind.base.top]) for kind in kinds]
    codes[:4] = np.array([[x, w] for x in ends[0] for w in ends[1]])[:, :, np.newaxis]
    got = []

    async def bench(ctx: Any) -> None:
        for cycle in range(len(codes) + stages):
            x, w = codes[min(cycle, len(codes) - 1)]
            ctx.set(dut.x.as_value(), pack(operands[0][x], kinds[0].layout.size))
            ctx.set(dut.w.as_value(), pack(operands[1][w], kinds[1].layout.size))
            if stages == 0:
                await ctx.delay(1e-9)
            if cycle >= stages:
                total = ctx.get(dut.total)
                got.append((~total if ctx.get(dut.inverted) else total) + ctx.get(dut.negative))
            await ctx.tick()

    simulate(dut, bench)
    expected = (kinds[0].base.decode(codes[:, 0]) * kinds[1].base.decode(codes[:, 1])).sum(axis=1)
    assert got == expected.tolist()
