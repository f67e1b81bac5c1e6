"""Look-up tables: what they compute, and their instances in a netlist."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth_bench import simulate
from narrows.hw.cells.lut import choose, lut
from narrows.hw.verilog import convert


class Tables(wiring.Component):
    """Tables of some inputs, and one of two that a bit chooses."""

    def __init__(self, table: int, bits: int) -> None:
        self._table = table
        super().__init__({"x": In(bits), "pair": In(2), "select": In(1), "y": Out(1), "z": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.y.eq(lut(m, platform, "one", self._table, self.x))
        m.d.comb += self.z.eq(choose(m, platform, "two", self.pair, self.select))
        return m


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_outputs_are_entries(bits: int) -> None:
    table = random.Random(bits).getrandbits(16)
    dut: Any = Tables(table, bits)

    async def bench(ctx: Any) -> None:
        for x in range(1 << bits):
            ctx.set(dut.x, x)
            ctx.set(dut.pair, x & 3)
            ctx.set(dut.select, x >> 1 & 1)
            await ctx.tick()
            assert ctx.get(dut.y) == table >> x & 1
            assert ctx.get(dut.z) == (x & 3) >> (x >> 1 & 1) & 1

    simulate(dut, bench)


@pytest.mark.parametrize("bits", [2, 4])
def test_instances_have_four_inputs_the_first_at_a(bits: int) -> None:
    text = convert(Tables(0x6AC1, bits), "tables")
    found = re.search(r"narrows_lut #\(\s*\.TABLE\(16'h6ac1\)\s*\) lut_one \(([^;]*)\);", text)
    assert found is not None
    ports = dict(re.findall(r"\.(\w)\(([^)]*)\)", found[1]))
    inputs = [*(f"x[{place}]" for place in range(bits)), *["1'h0"] * (4 - bits)]
    assert ports == dict(zip("abcd", inputs, strict=True)) | {"y": "y"}
