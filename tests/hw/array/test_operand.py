"""Operands: recoding loses nothing and agrees between hardware and host, whatever the base."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from narrows.hw.array.operand import act_operand, weight_operand
from narrows.hw.spec.config import AcceleratorConfig, bases_of


@pytest.mark.parametrize("side", [act_operand, weight_operand])
@pytest.mark.parametrize(
    "name",
    [
        "dybit4",
        "e2m1",
        "int4",
        "dybit3",
        "int3",
        "dybit2",
        "dybit3xdybit4",
        "dybit2xdybit4",
        "dybit4xint8",
        "int5xint8",
    ],
)
def test_every_code_becomes_its_operand_and_back(name: str, side: Any) -> None:
    kind = side(AcceleratorConfig(**bases_of(name)))
    base = kind.base
    code, operand, back = Signal(base.bits), Signal(kind.layout), Signal(base.bits)
    level = Signal(8)
    m = Module()
    m.d.comb += [
        operand.eq(kind.recode(code)),
        back.eq(kind.code_of(operand)),
        level.eq(kind.level_of(operand.magnitude)),
    ]

    async def bench(ctx: Any) -> None:
        for value in range(1 << base.bits):
            ctx.set(code, value)
            assert ctx.get(operand.as_value()) == kind.bits(value)
            assert ctx.get(back) == value
            assert ctx.get(level) == abs(int(base.decode(value)))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
