"""SdramStart: the writes that initialise a chip, in order, with their waits."""

from __future__ import annotations

import random
from typing import Any

from amaranth_bench import simulate
from narrows.hw.memory.sdram_start import ControlWrite, SdramStart


def test_writes_come_once_each_in_order_and_no_sooner_than_they_may() -> None:
    rng = random.Random(3)
    writes = [ControlWrite(rng.getrandbits(30), rng.getrandbits(32), rng.choice([0, 1, 7, 40])) for _ in range(12)]
    dut: Any = SdramStart(writes)

    async def bench(ctx: Any) -> None:
        found, moments = [], []
        for cycle in range(400):
            if ctx.get(dut.control.stb):
                assert ctx.get(dut.control.cyc) and ctx.get(dut.control.we) and ctx.get(dut.control.sel) == 15
                ctx.set(dut.control.ack, rng.random() < 0.4)
            else:
                ctx.set(dut.control.ack, 0)
            if ctx.get(dut.control.stb) and ctx.get(dut.control.ack):
                found.append((ctx.get(dut.control.adr), ctx.get(dut.control.dat_w)))
                moments.append(cycle)
            assert ctx.get(dut.done) == 0 or len(found) == len(writes)
            await ctx.tick()
        assert found == [(write.adr, write.data) for write in writes]
        for write, before, after in zip(writes, moments, moments[1:], strict=False):
            assert after - before > write.wait
        assert ctx.get(dut.done) == 1 and ctx.get(dut.control.stb) == 0

    simulate(dut, bench)
