"""HardMultiplier: two products at once, and arrays that mix them with look-up tables."""

from __future__ import annotations

from typing import Any

from amaranth.sim import Simulator
from narrows.hw.hard_multiplier import HardMultiplier
from narrows.hw.operand import MAGNITUDE, operand_bits
from narrows.hw.spec.digits import NATIVE


def magnitude(code: int) -> Any:
    return MAGNITUDE.from_bits(operand_bits(code) & ((1 << MAGNITUDE.size) - 1))


def test_every_triple_of_codes_gives_both_products() -> None:
    dut: Any = HardMultiplier()
    levels = NATIVE.magnitudes
    codes = range(len(levels))
    seen = {}

    async def bench(ctx: Any) -> None:
        for w in codes:
            ctx.set(dut.w, magnitude(w))
            for a in codes:
                ctx.set(dut.x[0], magnitude(a))
                for b in codes:
                    ctx.set(dut.x[1], magnitude(b))
                    await ctx.delay(1e-9)
                    seen[a, b, w] = ctx.get(dut.products[0]), ctx.get(dut.products[1])

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == {
        (a, b, w): (levels[a] * levels[w], levels[b] * levels[w]) for a in codes for b in codes for w in codes
    }
