"""PixelWalker: the pixel groups of every shape, whatever the consumer's pace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from amaranth_bench import simulate
from narrows.hw.control.walker import PixelWalker
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import BORDER_MAX


def groups(height: int, width: int, rows: int, wrap: int) -> Iterator[dict[str, Any]]:
    """What the walker offers, from the definition of pixel groups."""
    every = [(y, x) for y in range(height) for x in range(width)]
    lines = [every] if wrap else [every[first : first + width] for first in range(0, len(every), width)]
    for line in lines:
        for first in range(0, len(line), rows):
            pixels = line[first : first + rows]
            distances = [(y, height - 1 - y, x, width - 1 - x) for y, x in pixels]
            borders = [tuple(min(distance, BORDER_MAX) for distance in four) for four in distances]
            yield {
                "count": len(pixels),
                "borders": borders,
                "last": int(pixels[-1] == every[-1]),
                "line_end": int(not wrap and pixels[-1] == line[-1]),
            }


SIDES = ("top", "bottom", "left", "right")
CASES = [
    (1, 1, 1, 0),
    (1, 1, 4, 1),
    (3, 5, 4, 0),
    (3, 5, 4, 1),
    (2, 8, 4, 1),
    (4, 4, 3, 0),
    (5, 1, 2, 1),
    (5, 1, 2, 0),
    (1, 37, 4, 0),
    (34, 2, 4, 1),
    (20, 19, 4, 1),
    (17, 16, 4, 1),
    (16, 17, 4, 0),
]


async def show(ctx: Any, dut: Any, height: int, width: int, rows: int, wrap: int, *, lost: bool = True) -> None:
    """Have an image taken."""
    for name, value in (("out_height", height), ("out_width", width), ("rows", rows), ("wrap", wrap)):
        ctx.set(dut.images.payload[name], value)
    ctx.set(dut.images.valid, 1)
    assert ctx.get(dut.images.ready)
    await ctx.tick()
    for name in ("out_height", "out_width", "rows", "wrap") if lost else ():  # what comes later is of no interest
        ctx.set(dut.images.payload[name], 0)
    ctx.set(dut.images.valid, 0)


@pytest.mark.parametrize("prefetch", [0, 1])
@pytest.mark.parametrize("pace", [1.0, 0.3])
def test_groups_come_in_line_order_with_their_borders(pace: float, prefetch: int) -> None:
    dut: Any = PixelWalker(AcceleratorConfig(rows=4, act_words=64, prefetch=prefetch))
    rng = np.random.default_rng(int(10 * pace))
    got: dict[tuple[int, ...], list[dict[str, Any]]] = {case: [] for case in CASES}

    async def bench(ctx: Any) -> None:
        ctx.set(dut.enable, 1)
        for case in CASES:
            height, width = case[:2]
            await show(ctx, dut, *case, lost=bool(prefetch))
            offered = None
            for _ in range(int((height * width * 3 + 20) / pace)):
                ready = int(rng.random() < pace)
                ctx.set(dut.groups.ready, ready)
                valid, payload = ctx.get(dut.groups.valid), ctx.get(dut.groups.payload.as_value())
                if offered is not None:
                    assert (valid, payload) == (1, offered), "an offer must stand until it is taken"
                offered = payload if valid and not ready else None
                if valid and ready:
                    group = dut.groups.payload
                    count = ctx.get(group.count)
                    got[case].append(
                        {
                            "count": count,
                            "last": ctx.get(group.last),
                            "line_end": ctx.get(group.line_end),
                            "borders": [
                                tuple(ctx.get(group.borders[row][side]) for side in SIDES) for row in range(count)
                            ],
                        }
                    )
                await ctx.tick()

    simulate(dut, bench)
    for case, found in got.items():
        assert found == list(groups(*case)), f"height, width, rows, wrap = {case}"


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_consumer_of_a_group_every_rows_and_one_cycles_never_waits(rows: int) -> None:
    dut: Any = PixelWalker(AcceleratorConfig(rows=4, act_words=64))
    taken: list[bool] = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.enable, 1)
        await show(ctx, dut, 6, 4, rows, 1)
        for _ in range(2 * rows + 5):
            await ctx.tick()
        for _ in range(24 // rows):
            taken.append(bool(ctx.get(dut.groups.valid)))
            ctx.set(dut.groups.ready, 1)
            await ctx.tick()
            ctx.set(dut.groups.ready, 0)
            for _ in range(rows):
                await ctx.tick()
        assert not ctx.get(dut.groups.valid)

    simulate(dut, bench)
    assert taken == [True] * (24 // rows)


@pytest.mark.parametrize("pace", [1.0, 0.5, 0.1])
def test_images_follow_each_other_without_a_gap(pace: float) -> None:
    dut: Any = PixelWalker(AcceleratorConfig(rows=4, act_words=64))
    rng = np.random.default_rng(3)
    shown = [CASES[index] for index in rng.permutation(len(CASES))] * 2
    expected = [group for case in shown for group in groups(*case)]
    got: list[tuple[int, int]] = []

    async def consumer(ctx: Any) -> None:
        while len(got) < len(expected):
            ready = int(rng.random() < pace)
            ctx.set(dut.groups.ready, ready)
            if ready and ctx.get(dut.groups.valid):
                got.append((ctx.get(dut.groups.payload.count), ctx.get(dut.groups.payload.last)))
            await ctx.tick()

    async def bench(ctx: Any) -> None:
        ctx.set(dut.enable, 1)
        for case in shown:
            while not ctx.get(dut.images.ready):
                await ctx.tick()
            await show(ctx, dut, *case)
        while len(got) < len(expected):
            await ctx.tick()
        await ctx.tick().repeat(30)
        assert not ctx.get(dut.groups.valid), "nothing comes behind the last"

    simulate(dut, bench, consumer)
    assert got == [(group["count"], group["last"]) for group in expected]


@pytest.mark.parametrize("cycles", range(1, 14))
def test_an_image_given_up_leaves_nothing(cycles: int) -> None:
    dut: Any = PixelWalker(AcceleratorConfig(rows=4, act_words=64))

    async def bench(ctx: Any) -> None:
        ctx.set(dut.enable, 1)
        await show(ctx, dut, 3, 5, 4, 0)
        await ctx.tick().repeat(cycles)
        ctx.set(dut.enable, 0)
        await ctx.tick()
        assert not ctx.get(dut.groups.valid) and ctx.get(dut.images.ready)
        ctx.set(dut.enable, 1)
        await show(ctx, dut, 1, 3, 2, 0)
        for group in groups(1, 3, 2, 0):
            while not ctx.get(dut.groups.valid):
                await ctx.tick()
            assert ctx.get(dut.groups.payload.count) == group["count"]
            assert ctx.get(dut.groups.payload.borders[0].left) == group["borders"][0][2]
            ctx.set(dut.groups.ready, 1)
            await ctx.tick()
            ctx.set(dut.groups.ready, 0)

    simulate(dut, bench)
