"""HardMultiplier: products that share operands at once, as many as find room, each undisturbed by the others."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from amaranth.sim import Simulator
from narrows.hw.array.hard_multiplier import HardMultiplier, products_together
from narrows.hw.array.operand import Operand, act_operand, weight_operand
from narrows.hw.spec.config import AcceleratorConfig, bases_of

ROOM = {
    ("dybit4", "ecp5"): (2, 1),
    ("dybit4", "xilinx"): (2, 2),
    ("e2m1", "ecp5"): (2, 1),
    ("int4", "ecp5"): (2, 2),
    ("int4", "ice40"): (2, 2),
    ("int4", "xilinx"): (2, 2),
    ("dybit2", "ecp5"): (2, 2),
    ("dybit3xdybit4", "ecp5"): (2, 2),
    ("dybit4xint8", "ecp5"): (1, 2),
    ("dybit4xint8", "ice40"): (1, 1),
    ("int4xint8", "ecp5"): (2, 1),
    ("int4xint8", "ice40"): (1, 2),
    ("int5xint8", "xilinx"): (2, 1),
}
"""Rows and columns that share a multiplier."""


def magnitudes(kind: Operand) -> dict[int, Any]:
    """A magnitude for each level that an operand has."""
    mask = (1 << kind.magnitude.size) - 1
    codes = range(1 << kind.base.bits)
    return {abs(int(kind.base.decode(code))): kind.magnitude.from_bits(kind.bits(code) & mask) for code in codes}


@pytest.mark.parametrize(("name", "fabric"), ROOM)
def test_all_products_are_those_of_the_levels(name: str, fabric: str) -> None:
    config = AcceleratorConfig(**bases_of(name), fabric=fabric)
    rows, columns = products_together(config)
    assert (rows, columns) == ROOM[name, fabric]
    dut: Any = HardMultiplier(config)
    x, w = magnitudes(act_operand(config)), magnitudes(weight_operand(config))
    xs, ws = ([*list(levels)[:: max(1, len(levels) // 12)], max(levels)] for levels in (x, w))
    cases = list(itertools.product(itertools.product(xs, repeat=rows), itertools.product(ws, repeat=columns)))
    cases = cases[:: max(1, len(cases) // 4000)] + cases[-1:]
    seen = []

    async def bench(ctx: Any) -> None:
        for acts, weights in cases:
            for place, level in enumerate(acts):
                ctx.set(dut.x[place], x[level])
            for place, level in enumerate(weights):
                ctx.set(dut.w[place], w[level])
            await ctx.delay(1e-9)
            seen.append([ctx.get(dut.products[c][r]) for c in range(columns) for r in range(rows)])

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [[a * b for b in weights for a in acts] for acts, weights in cases]


def test_a_single_row_shares_with_its_columns() -> None:
    assert products_together(AcceleratorConfig(rows=1)) == (1, 2)
    assert products_together(AcceleratorConfig(rows=1, columns=1, rescalers=1)) == (1, 1)
