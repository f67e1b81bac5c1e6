"""MaxPool: the largest level of random windows, in planes, without padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate, unpack
from narrows.hw.drain.max_pool import MaxPool
from narrows.hw.spec.config import AcceleratorConfig, bases_of
from narrows.hw.spec.cycles import word_hold_cycles
from narrows.hw.spec.pipeline import pipeline

LANES = 4


@pytest.mark.parametrize(
    ("bases", "most_planes", "planes"),
    [
        *(("dybit4", *pair) for pair in [(1, 1), (3, 1), (3, 2), (3, 3), (5, 4)]),
        ("int4xint8", 1, 1),
        ("int4xint8", 2, 2),
    ],
)
def test_winners_leave_plane_by_plane(bases: str, most_planes: int, planes: int) -> None:
    config = AcceleratorConfig(**bases_of(bases), rows=1, columns=2, lanes=LANES, rescalers=2, planes=most_planes)
    digits = config.digits
    dut: Any = MaxPool(config)
    latency = pipeline(config).max_pool
    rng = np.random.default_rng(planes)
    levels = digits.base.levels if planes == 1 else np.arange(-digits.span(planes), digits.span(planes) + 1)
    schedule: list[tuple[int, int, int, int]] = []  # word, valid position, first, last; word -1: idle
    expected: dict[int, tuple[list[int], bool]] = {}  # by cycle: codes, and whether they end the word
    for _ in range(60):
        positions = int(rng.integers(1, 6))
        window = rng.choice(levels, (positions, LANES))
        if rng.random() < 0.3:  # winners that differ in one digit only
            window = np.clip(window[:1] + rng.integers(-1, 2, window.shape), levels[0], levels[-1])
            window = levels[np.searchsorted(levels, window)]
        inside = rng.random(positions) < 0.7
        inside[rng.integers(positions)] = True
        codes = digits.to_planes(window, planes)
        for position in range(positions):
            for plane in reversed(range(planes)):
                first = position == 0 and plane == planes - 1
                last = position == positions - 1 and plane == 0
                schedule.append(
                    (pack(codes[plane, position], config.code_bits), int(inside[position]), int(first), int(last))
                )
        winner = window[inside].max(axis=0)
        for plane in range(planes):
            cycle = len(schedule) - 1 + latency + plane
            expected[cycle] = digits.to_planes(winner, planes)[plane].tolist(), plane == planes - 1
        schedule += [(-1, 0, 0, 0)] * int(rng.choice([0, 0, 1, 3]))
    got = {}

    async def bench(ctx: Any) -> None:
        ctx.set(dut.instruction.run, 1)
        ctx.set(dut.instruction.fields.planes, planes)
        await ctx.tick()
        for cycle, (word, valid, first, last) in enumerate([*schedule, *[(-1, 0, 0, 0)] * (latency + planes)]):
            if ctx.get(dut.words.flags.valid):
                ends = {ctx.get(dut.words.flags[name]) for name in ("pixel_planes", "row", "tile")}
                assert len(ends) == 1
                got[cycle] = unpack(ctx.get(dut.words.codes), config.code_bits, LANES), ends == {1}
            ctx.set(dut.windows.word, max(word, 0))
            ctx.set(dut.windows.inside, valid)
            ctx.set(dut.windows.flags.valid, int(word >= 0))
            ctx.set(dut.windows.flags.first, first)
            ctx.set(dut.windows.flags.last, last)
            await ctx.tick()

    simulate(dut, bench)
    assert got == expected


@pytest.mark.parametrize("fabric", ["ecp5", "ice40"])
@pytest.mark.parametrize("planes", [1, 3])
def test_with_one_port_it_says_ahead_when_words_leave(fabric: str, planes: int) -> None:
    config = AcceleratorConfig(rows=1, columns=2, lanes=LANES, rescalers=2, planes=3, memories="single", fabric=fabric)
    dut: Any = MaxPool(config)
    ahead, leaves = [], []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.instruction.run, 1)
        ctx.set(dut.instruction.fields.planes, planes)
        ctx.set(dut.windows.inside, 1)
        await ctx.tick()
        window = [(1, int(step == 0), int(step == 2 * planes - 1)) for step in range(2 * planes)]
        for valid, first, last in [*window * 2, (0, 0, 0), *window, *[(0, 0, 0)] * 5, *window, *[(0, 0, 0)] * 20]:
            for name, value in (("valid", valid), ("first", first), ("last", last)):
                ctx.set(dut.windows.flags[name], value)
            ahead.append(ctx.get(dut.ahead))
            leaves.append(ctx.get(dut.words.flags.valid))
            await ctx.tick()

    simulate(dut, bench)
    early = word_hold_cycles(config)
    assert sum(leaves) == 4 * planes
    assert ahead[: len(ahead) - early] == leaves[early:]
