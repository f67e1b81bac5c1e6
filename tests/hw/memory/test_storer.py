"""Storer: what a run that is given up has begun on the bus is ended, and nothing more of it comes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from amaranth_bench import simulate
from narrows.hw.memory.storer import Storer
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.registers import Region
from narrows.hw.spec.transfer import BURST_BEATS

CONFIG = dataclasses.replace(PRESETS["tiny"], backing="axi4", bus_bits=32)
WORDS = 4 * BURST_BEATS
"""Of a beat each, or of half a one."""


@pytest.mark.parametrize("bursts", [1, 2])
def test_a_run_that_is_given_up_ends_the_burst_that_it_has_begun(bursts: int) -> None:
    dut: Any = Storer(CONFIG)
    asked, strobes = [], []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.limit, 1 << 20)
        ctx.set(dut.job.memory, Region.ACTIVATIONS)
        ctx.set(dut.job.count, WORDS)
        ctx.set(dut.job.lines, 1)
        ctx.set(dut.bus.awready, 1)
        ctx.set(dut.bus.wready, 1)
        ctx.set(dut.run, 1)
        answers = 0
        for cycle in range(60 * BURST_BEATS):
            if len(asked) == bursts and ctx.get(dut.run):
                ctx.set(dut.run, 0)
                given_up = cycle
            ctx.set(dut.bus.bvalid, answers > 0)
            _, _, takes, length, moves, strobe, last, settled = await ctx.tick().sample(
                dut.bus.awvalid, dut.bus.awlen, dut.bus.wvalid, dut.bus.wstrb, dut.bus.wlast, dut.settled
            )
            answers -= answers > 0
            if takes:
                asked.append(length + 1)
            if moves:
                strobes.append((strobe, last))
                answers += last
            if settled and not ctx.get(dut.run) and cycle > given_up + 4:
                break
        assert ctx.get(dut.settled)

    simulate(dut, bench)
    assert len(asked) <= bursts + 1, "at most the one that was on offer"
    assert len(strobes) == sum(asked)
    assert sum(last for _, last in strobes) == len(asked)
    assert strobes[-1][0] == 0, "what comes behind the end writes nothing"
