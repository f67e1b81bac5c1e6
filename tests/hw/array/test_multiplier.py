"""Multiplier: every product of two magnitude codes, in every base."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.sim import Simulator
from narrows.hw.array.multiplier import Multiplier
from narrows.hw.array.operand import operand_bits
from narrows.hw.spec.config import FABRICS, AcceleratorConfig


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("fabric", FABRICS)
@pytest.mark.parametrize(
    ("base", "product_bits"),
    [
        ("dybit4", 9),
        ("e2m1", 8),
        ("e3m0", 13),
        ("int4", 6),
        ("dybit3", 5),
        ("int3", 4),
        ("dybit2", 1),
        ("int2", 1),
    ],
)
def test_every_pair_of_codes_gives_the_product_of_its_levels(
    base: str, product_bits: int, fabric: str, first: bool
) -> None:
    config = AcceleratorConfig(base=base, fabric=fabric)
    assert config.product_bits == product_bits
    dut: Any = Multiplier(config, first=first)
    fmt = config.digits.base
    levels = fmt.magnitudes
    seen = {}

    async def bench(ctx: Any) -> None:
        for a in range(len(levels)):
            for b in range(len(levels)):
                ctx.set(dut.x.as_value(), operand_bits(fmt, a))
                ctx.set(dut.w.as_value(), operand_bits(fmt, b))
                ctx.set(dut.inverted, 0)
                await ctx.delay(1e-9)
                seen[a, b] = ctx.get(dut.product)
                ctx.set(dut.inverted, 1)
                await ctx.delay(1e-9)
                assert ctx.get(dut.product) == seen[a, b] ^ ((1 << product_bits) - 1)

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == {(a, b): levels[a] * levels[b] for a in range(len(levels)) for b in range(len(levels))}
