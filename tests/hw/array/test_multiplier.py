"""Multiplier: every product of two magnitude codes, in every base."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.sim import Simulator
from narrows.hw.array.multiplier import Multiplier
from narrows.hw.array.operand import act_operand, weight_operand
from narrows.hw.spec.config import FABRICS, AcceleratorConfig, bases_of


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
        ("dybit2xdybit4", 5),
        ("dybit3xdybit4", 7),
        ("int3xdybit4", 6),
        ("dybit2xint4", 3),
        ("dybit3xint4", 5),
        ("dybit4xdybit2", 5),
        ("dybit4xint4", 7),
        ("int4xint8", 10),
        ("int5xint8", 11),
        ("dybit4xint8", 12),
        ("dybit2xint8", 8),
    ],
)
def test_every_pair_of_codes_gives_the_product_of_its_levels(
    base: str, product_bits: int, fabric: str, first: bool
) -> None:
    config = AcceleratorConfig(**bases_of(base), fabric=fabric)
    assert config.product_bits == product_bits
    dut: Any = Multiplier(config, first=first)
    x, w = act_operand(config), weight_operand(config)
    # of codes with a sign the magnitude may be larger by one
    acts, weights = (range(1 << kind.base.bits if kind.base.whole else len(kind.base.magnitudes)) for kind in (x, w))
    seen = {}

    async def bench(ctx: Any) -> None:
        for a in acts:
            ctx.set(dut.x.as_value(), x.bits(a))
            for b in weights:
                ctx.set(dut.w.as_value(), w.bits(b))
                ctx.set(dut.inverted, 0)
                await ctx.delay(1e-9)
                seen[a, b] = ctx.get(dut.product)
                ctx.set(dut.inverted, 1)
                await ctx.delay(1e-9)
                assert ctx.get(dut.product) == seen[a, b] ^ ((1 << product_bits) - 1)

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == {(a, b): abs(int(x.base.decode(a) * w.base.decode(b))) for a in acts for b in weights}
