"""Encoder: every value in half units, in every format and digit plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import simulate
from narrows.hw.drain.encoder import Encoder
from narrows.hw.spec.config import AcceleratorConfig, bases_of
from narrows.hw.spec.formats import DyBit, Minifloat
from narrows.hw.spec.pipeline import pipeline

EVERY = 3000
"""More half units than that are sampled, with all neighbourhoods of ties."""


FORMATS = [*(DyBit(bits) for bits in range(2, 9)), Minifloat(2, 1), Minifloat(3, 0), Minifloat(3, 1), Minifloat(3, 3)]


def roundings(config: AcceleratorConfig, planes: int) -> list[tuple[int, np.ndarray]]:
    """(number of the rounding or 0 for integers, levels) of the core's formats whose levels fit digit planes."""
    digits = config.digits
    fitting = digits.span(planes) if planes > 1 else digits.base.top
    found: list[tuple[int, np.ndarray]] = []
    for fmt in FORMATS:
        if config.rounds(fmt) and fmt.top <= fitting and digits.count(fmt.levels) <= planes:
            found.append((fmt.rounding.number, fmt.levels))
    top = digits.span(planes)
    bottom = digits.base.bottom if planes == 1 and not digits.base.octaves else -top
    return [*found, (0, np.arange(bottom, top + 1))]


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
    ("base", "most_planes", "planes", "rounds_to"),
    [
        *(("dybit4", *pair, "") for pair in [(1, 1), (3, 1), (3, 2), (3, 3), (2, 2), (4, 4), (5, 5), (5, 1)]),
        *(("int4", *pair, "") for pair in [(3, 1), (3, 2), (3, 3)]),
        *(("dybit3", *pair, "") for pair in [(4, 1), (4, 4)]),
        *(("int3", *pair, "") for pair in [(1, 1), (4, 3)]),
        *(("dybit2", *pair, "") for pair in [(1, 1), (8, 1), (8, 5), (8, 8)]),
        *(("e2m1", *pair, "") for pair in [(1, 1), (3, 1), (3, 2), (3, 3)]),
        *(("e2m1", *pair, "dybit+e2m1+e3m0+e3m3") for pair in [(4, 1), (4, 2), (4, 4)]),
        *(("dybit4", *pair, "dybit4+e2m1") for pair in [(2, 1), (2, 2)]),
        ("e3m0", 4, 4, "e3m0+e2m1"),
        *(("dybit3xdybit4", *pair, "") for pair in [(4, 1), (4, 2), (4, 4)]),
        *(("int5xint8", *pair, "") for pair in [(1, 1), (2, 1), (2, 2)]),
        *(("dybit2xint8", *pair, "") for pair in [(1, 1), (2, 2)]),
    ],
)
def test_codes_are_the_digits_of_the_nearest_level(base: str, most_planes: int, planes: int, rounds_to: str) -> None:
    config = AcceleratorConfig(**bases_of(base), planes=most_planes, rounds_to=rounds_to)
    dut: Any = Encoder(config)
    digits, latency = config.digits, pipeline(config).encoder
    cases = [
        (number, plane, levels, halves(levels))
        for number, levels in roundings(config, planes)
        for plane in range(planes)
    ]
    got: list[list[int]] = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.planes, planes)
        for number, plane, _, values in cases:
            ctx.set(dut.uneven, int(number > 0))
            ctx.set(dut.rounding, number)
            ctx.set(dut.plane, plane)
            results: list[int] = []
            for cycle in range(len(values) + latency):
                if cycle >= latency:
                    results.append(ctx.get(dut.code))
                ctx.set(dut.half_units, int(values[min(cycle, len(values) - 1)]))
                await ctx.tick()
            got.append(results)

    simulate(dut, bench)
    assert len(got) >= planes * 2
    for (number, plane, levels, values), results in zip(cases, got, strict=True):
        nearest = levels[np.searchsorted(levels[1:] + levels[:-1], values, side="right")]
        assert results == digits.to_planes(nearest, planes)[plane].tolist(), f"rounding {number}, plane {plane}"
