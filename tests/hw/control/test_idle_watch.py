"""IdleWatch: idle after so many quiet cycles in a row, and not for a cycle longer than that."""

from __future__ import annotations

import random
from typing import Any

from amaranth.sim import Simulator
from narrows.hw.control.idle_watch import SETTLED_CYCLES, IdleWatch


def test_idle_says_that_all_was_quiet_for_long_enough() -> None:
    dut, draw, quiet, levels = IdleWatch(), random.Random(3), 0, set()

    async def drive(ctx: Any) -> None:
        nonlocal quiet
        for _ in range(40):
            for length, is_quiet in ((draw.randint(1, 2 * SETTLED_CYCLES), True), (draw.randint(1, 3), False)):
                for _ in range(length):
                    ctx.set(dut.active, 0 if is_quiet else draw.randint(0, 1))
                    ctx.set(dut.resting, 1 if is_quiet else ctx.get(dut.active))
                    await ctx.tick()
                    quiet = quiet + 1 if is_quiet else 0
                    assert ctx.get(dut.idle) == (quiet >= SETTLED_CYCLES)
                    levels.add(ctx.get(dut.idle))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert levels == {0, 1}
