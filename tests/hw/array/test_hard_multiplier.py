"""HardMultiplier: two products at once, and arrays that mix them with look-up tables."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.sim import Simulator
from narrows.hw.array.hard_multiplier import HardMultiplier
from narrows.hw.array.operand import magnitude_layout, operand_bits
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Format


def magnitude(base: Format, code: int) -> Any:
    layout = magnitude_layout(base)
    return layout.from_bits(operand_bits(base, code) & ((1 << layout.size) - 1))


@pytest.mark.parametrize("name", ["dybit4", "int4", "dybit2"])
def test_every_triple_of_codes_gives_both_products(name: str) -> None:
    config = AcceleratorConfig(base=name)
    base = config.digits.base
    dut: Any = HardMultiplier(config)
    levels = base.magnitudes
    codes = range(len(levels))
    seen = {}

    async def bench(ctx: Any) -> None:
        for w in codes:
            ctx.set(dut.w, magnitude(base, w))
            for a in codes:
                ctx.set(dut.x[0], magnitude(base, a))
                for b in codes:
                    ctx.set(dut.x[1], magnitude(base, b))
                    await ctx.delay(1e-9)
                    seen[a, b, w] = ctx.get(dut.products[0]), ctx.get(dut.products[1])

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == {
        (a, b, w): (levels[a] * levels[w], levels[b] * levels[w]) for a in codes for b in codes for w in codes
    }
