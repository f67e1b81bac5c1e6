"""copy_of, copies_of: registers of one value that differ only before the first clock edge."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth_bench import simulate
from narrows.hw.cells.copies import copies_of, copy_of


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


@pytest.mark.parametrize(
    ("cycles", "most", "count"), [(0, 4, 1), (1, 8, 2), (2, 4, 4), (3, 4, 4), (3, 8, 8), (2, 1, 1), (5, 2, 2)]
)
def test_ranks_of_copies_show_the_value_so_many_cycles_later(cycles: int, most: int, count: int) -> None:
    m, value = Module(), Signal(3)
    copies = copies_of(m, value, cycles, "copy", most=most)
    assert len(copies) == count
    numbers = [1, 6, 3, 5, 2, 4, 7, 1]

    async def bench(ctx: Any) -> None:
        for cycle in range(len(numbers)):
            ctx.set(value, numbers[cycle])
            if cycle >= cycles:
                assert [ctx.get(copy) for copy in copies] == [numbers[cycle - cycles]] * count
            await ctx.tick()

    simulate(m, bench)


def test_no_two_copies_of_a_rank_take_the_same_and_start_alike() -> None:
    m, value = Module(), Signal(3)
    copies = copies_of(m, value, 2, "copy", most=4)
    starts: list[list[int]] = []

    async def bench(ctx: Any) -> None:
        ctx.set(value, 5)
        for _ in range(2):
            starts.append([ctx.get(copy) for copy in copies])
            await ctx.tick()

    simulate(m, bench)
    # before the first edge by what they start from, after it by what they take it from
    assert starts == [[0, 7, 0, 7], [0, 0, 7, 7]]
