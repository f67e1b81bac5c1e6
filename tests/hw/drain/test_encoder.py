"""Encoder: every value in half units, in every format and digit plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import simulate
from narrows.hw.drain.encoder import Encoder, dybit_widths
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.digits import Digits
from narrows.hw.spec.formats import DyBit

EVERY = 3000
"""More half units than that are sampled, with all neighbourhoods of ties."""


def roundings(digits: Digits, planes: int) -> list[tuple[int, np.ndarray]]:
    """(magnitude width or 0 for integers, levels) of all roundings whose levels fit digit planes."""
    fitting = digits.span(planes) if planes > 1 else digits.base.top
    found: list[tuple[int, np.ndarray]] = []
    for width in range(1, 8):
        levels = DyBit(width + 1).levels
        if levels[-1] <= fitting and digits.count(levels) <= planes:
            found.append((width, levels))
    top = digits.span(planes)
    return [*found, (0, np.arange(-top, top + 1))]


def halves(levels: np.ndarray) -> np.ndarray:
    """Half units between the outermost levels."""
    every = np.arange(2 * levels[0], 2 * levels[-1] + 1)
    if len(every) <= EVERY:
        return every
    rng = np.random.default_rng(len(every))
    ties = rng.choice(levels[1:] + levels[:-1], 300)
    near = np.concatenate([ties - 1, ties, ties + 1, rng.choice(every, 500), every[:8], every[-8:]])
    return np.unique(np.clip(near, every[0], every[-1]))


@pytest.mark.parametrize(
    ("base", "most_planes", "planes"),
    [
        *(("dybit4", *pair) for pair in [(1, 1), (3, 1), (3, 2), (3, 3), (2, 2), (4, 4), (5, 5), (5, 1)]),
        *(("int4", *pair) for pair in [(3, 1), (3, 2), (3, 3)]),
        *(("dybit3", *pair) for pair in [(4, 1), (4, 4)]),
        *(("int3", *pair) for pair in [(1, 1), (4, 3)]),
        *(("dybit2", *pair) for pair in [(1, 1), (8, 1), (8, 5), (8, 8)]),
    ],
)
def test_codes_are_the_digits_of_the_nearest_level(base: str, most_planes: int, planes: int) -> None:
    config = AcceleratorConfig(base=base, planes=most_planes)
    dut: Any = Encoder(config)
    digits = config.digits
    cases = [
        (width, plane, levels, halves(levels)) for width, levels in roundings(digits, planes) for plane in range(planes)
    ]
    got: list[list[int]] = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.planes, planes)
        for width, plane, _, values in cases:
            ctx.set(dut.dybit, int(width > 0))
            ctx.set(dut.width, width)
            ctx.set(dut.plane, plane)
            results: list[int] = []
            for cycle in range(len(values) + dut.LATENCY):
                if cycle >= dut.LATENCY:
                    results.append(ctx.get(dut.code))
                ctx.set(dut.half_units, int(values[min(cycle, len(values) - 1)]))
                await ctx.tick()
            got.append(results)

    simulate(dut, bench)
    assert len(got) >= planes * 2
    for (width, plane, levels, values), results in zip(cases, got, strict=True):
        nearest = levels[np.searchsorted(levels[1:] + levels[:-1], values, side="right")]
        assert results == digits.to_planes(nearest, planes)[plane].tolist(), f"width {width}, plane {plane}"


@pytest.mark.parametrize(("planes", "widths"), [(1, 3), (2, 3), (3, 5), (4, 6), (5, 8)])
def test_dybit_widths_are_those_whose_levels_can_be_written(planes: int, widths: int) -> None:
    config = AcceleratorConfig(planes=planes)
    assert dybit_widths(config) == widths
    assert 4 ** (widths - 1) <= config.level_max < 4**widths
