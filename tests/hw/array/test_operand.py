"""Operands: recoding loses nothing and agrees between hardware and host, whatever the base."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from narrows.hw.array.operand import code_of, level_of, operand_bits, operand_layout, recode
from narrows.hw.spec.formats import parse_format


@pytest.mark.parametrize("name", ["dybit4", "int4", "dybit3", "int3", "dybit2"])
def test_every_code_becomes_its_operand_and_back(name: str) -> None:
    base = parse_format(name)
    code, operand, back = Signal(base.bits), Signal(operand_layout(base)), Signal(base.bits)
    level = Signal(5)
    m = Module()
    m.d.comb += [operand.eq(recode(base, code)), back.eq(code_of(operand)), level.eq(level_of(base, operand.magnitude))]

    async def bench(ctx: Any) -> None:
        for value in range(1 << base.bits):
            ctx.set(code, value)
            assert ctx.get(operand.as_value()) == operand_bits(base, value)
            assert ctx.get(back) == value
            assert ctx.get(level) == abs(int(base.decode(value)))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
