"""without_reset: a reset reaches no register of the component nor of those within it."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Module, ResetInserter, Signal
from amaranth_bench import simulate
from narrows.hw.cells.without_reset import without_reset


class Counter(Elaboratable):
    """Counts cycles, and so does what lies within."""

    def __init__(self, *, kept: bool, depth: int = 1) -> None:
        self.count = Signal(8)
        self.inner = Counter(kept=False, depth=depth - 1) if depth else None
        self._kept = kept

    def elaborate(self, platform: object) -> Any:
        m = Module()
        m.d.sync += self.count.eq(self.count + 1)
        if self.inner is not None:
            m.submodules.inner = self.inner
        return without_reset(m, platform) if self._kept else m


@pytest.mark.parametrize("kept", [True, False])
def test_registers_go_on_through_a_reset(kept: bool) -> None:
    m, reset = Module(), Signal()
    dut = Counter(kept=kept)
    m.submodules.dut = ResetInserter(reset)(dut)

    async def bench(ctx: Any) -> None:
        await ctx.tick().repeat(5)
        ctx.set(reset, 1)
        await ctx.tick()
        counts = [ctx.get(dut.count), ctx.get(dut.inner.count)]
        assert counts == ([6, 6] if kept else [0, 0])

    simulate(m, bench)
