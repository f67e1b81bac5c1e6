"""Multiplier: every product of two magnitude codes."""

from __future__ import annotations

from typing import Any

from amaranth.sim import Simulator
from narrows.hw.multiplier import PRODUCT_BITS, Multiplier
from narrows.hw.operand import operand_bits
from narrows.hw.spec.digits import NATIVE


def test_every_pair_of_codes_gives_the_product_of_its_levels() -> None:
    dut: Any = Multiplier()
    seen = {}

    async def bench(ctx: Any) -> None:
        for a in range(len(NATIVE.magnitudes)):
            for b in range(len(NATIVE.magnitudes)):
                ctx.set(dut.a.as_value(), operand_bits(a))
                ctx.set(dut.b.as_value(), operand_bits(b))
                await ctx.delay(1e-9)
                seen[a, b] = ctx.get(dut.product)

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    levels = NATIVE.magnitudes
    assert seen == {(a, b): levels[a] * levels[b] for a in range(len(levels)) for b in range(len(levels))}


def test_the_width_holds_the_largest_product() -> None:
    assert (NATIVE.top**2).bit_length() == PRODUCT_BITS
