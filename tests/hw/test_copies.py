"""copy_of: two registers of one value that differ only before the first clock edge."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth_bench import simulate
from narrows.hw.copies import copy_of


def test_copies_hold_the_same_but_do_not_start_alike_and_a_reset_leaves_them_alone() -> None:
    m, value = Module(), Signal(5)
    copies = [copy_of(m, value, copy, f"copy{copy}") for copy in range(2)]

    async def bench(ctx: Any) -> None:
        assert [ctx.get(copy) for copy in copies] == [0, 31]
        for number in (9, 22):
            ctx.set(value, number)
            await ctx.tick()
            assert [ctx.get(copy) for copy in copies] == [number, number]
        assert all(copy.reset_less for copy in copies)

    simulate(m, bench)
