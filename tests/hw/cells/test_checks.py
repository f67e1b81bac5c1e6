"""Check bits in hardware are those of the contract, and so is what they say of flips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth_bench import simulate
from narrows.hw.cells.checks import CHECK, any_check, check_bits, judged
from narrows.hw.spec.protection import Verdict, check_code


class _Granule(wiring.Component):
    """A granule, some of its bits flipped on the way to its reader."""

    def __init__(self, protection: str, bits: int) -> None:
        self.code = check_code(protection, bits)
        ports = {"value": In(bits), "checks": Out(self.code.bits), "flips": In(bits + self.code.bits)}
        super().__init__({**ports, "read": Out(bits), "found": Out(CHECK)})

    def elaborate(self, platform: object) -> Module:
        m, bits = Module(), len(self.value)
        m.d.comb += self.checks.eq(check_bits(self.code, self.value))
        value, damaged, corrected = judged(self.code, self.value ^ self.flips[:bits], self.checks ^ self.flips[bits:])
        m.d.comb += [self.read.eq(value), self.found.damaged.eq(damaged), self.found.corrected.eq(corrected)]
        return m


@pytest.mark.parametrize("protection", ["parity", "secded"])
@pytest.mark.parametrize("bits", [4, 9, 32])
def test_hardware_and_contract_agree(protection: str, bits: int) -> None:
    dut: Any = _Granule(protection, bits)
    rng = np.random.default_rng(bits)

    async def bench(ctx: Any) -> None:
        for count in (0, 1, 1, 2, 3) * 10:
            value = int(rng.integers(1 << bits))
            places = rng.choice(bits + dut.code.bits, size=count, replace=False)
            flips = sum(1 << int(place) for place in places)
            ctx.set(dut.value, value)
            ctx.set(dut.flips, flips)
            verdict, seen = dut.code.judge(flips)
            assert ctx.get(dut.checks) == dut.code.check(value)
            assert ctx.get(dut.read) == value ^ seen
            found = ctx.get(dut.found.damaged), ctx.get(dut.found.corrected)
            assert found == (verdict is Verdict.DAMAGED, verdict is Verdict.CORRECTED)

    simulate(dut, bench)


class _Several(wiring.Component):
    def __init__(self) -> None:
        super().__init__({"checks": In(data.ArrayLayout(CHECK, 3)), "judged": In(3), "found": Out(CHECK)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.found.eq(any_check(m, "any", self.checks, self.judged))
        return m


def test_words_that_nobody_uses_are_not_judged() -> None:
    dut: Any = _Several()

    async def bench(ctx: Any) -> None:
        ctx.set(dut.checks.as_value(), 0b00_10_01)  # damaged, corrected, sound
        for judged_words, found in ((0b000, 0b00), (0b001, 0b01), (0b010, 0b10), (0b011, 0b11), (0b100, 0b00)):
            ctx.set(dut.judged, judged_words)
            await ctx.tick()
            assert ctx.get(dut.found.as_value()) == found

    simulate(dut, bench)
