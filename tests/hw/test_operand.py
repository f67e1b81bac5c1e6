"""OPERAND: recoding loses nothing and agrees between hardware and host."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from narrows.hw.operand import OPERAND, code_of, operand_bits, recode


def test_every_code_becomes_its_operand_and_back() -> None:
    code, operand, back = Signal(4), Signal(OPERAND), Signal(4)
    m = Module()
    m.d.comb += [operand.eq(recode(code)), back.eq(code_of(operand))]

    async def bench(ctx: Any) -> None:
        for value in range(16):
            ctx.set(code, value)
            assert ctx.get(operand.as_value()) == operand_bits(value)
            assert ctx.get(back) == value

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
