"""keep_operands: registers that synthesis cannot merge."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth_bench import pack, simulate, unpack
from narrows.hw.array.operand import act_operand
from narrows.hw.control.operands import keep_operands
from narrows.hw.spec import config as config_module
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline


def test_copies_hold_the_same_but_none_starts_alike_with_its_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "MOST_NEAR", 1)
    config = AcceleratorConfig(rows=8, columns=8, lanes=2, rescalers=1)
    plan = pipeline(config)
    operand = act_operand(config)
    layout = operand.layout
    codes, kept = Signal(4 * config.code_bits), Signal(data.ArrayLayout(layout, 32))
    m = Module()
    keep_operands(m, config, "x", kept, codes, operand)

    async def bench(ctx: Any) -> None:
        ctx.set(codes, pack([5, 9, 15, 0], config.code_bits))
        zeros, ones = [0] * 4, [(1 << layout.size) - 1] * 4
        assert unpack(ctx.get(kept.as_value()), layout.size, 32) == (zeros + ones) * 4
        await ctx.tick().repeat(plan.predecode - 1)
        first, second = (operand.bits(code) for code in (0, (1 << config.code_bits) - 1))
        assert unpack(ctx.get(kept.as_value()), layout.size, 32) == [first] * 16 + [second] * 16
        await ctx.tick()
        wanted = [operand.bits(code) for code in (5, 9, 15, 0)]
        assert unpack(ctx.get(kept.as_value()), layout.size, 32) == wanted * 8

    simulate(m, bench)
