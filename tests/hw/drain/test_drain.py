"""Drain: finished sums leave rescaled and encoded, granule by granule, plane by plane."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate, unpack
from narrows.hw.drain.drain import Drain
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit
from narrows.hw.spec.isa import COMPUTE, encode_param
from narrows.hw.spec.pipeline import pipeline
from narrows.hw.spec.semantics import rescale

CONFIGS = [
    AcceleratorConfig(rows=2, columns=4, lanes=4, rescalers=2, acc_bits=16, param_words=16),
    AcceleratorConfig(rows=1, columns=1, lanes=2, rescalers=1, acc_bits=12, rescale_bits=2, param_words=16),
    AcceleratorConfig(
        rows=3, columns=8, lanes=8, rescalers=8, acc_bits=20, rescale_bits=8, bias_bits=16, param_words=16
    ),
    AcceleratorConfig(rows=4, columns=2, lanes=4, rescalers=2, drain_rows=2, acc_bits=14),
    AcceleratorConfig(rows=5, columns=4, lanes=4, rescalers=4, drain_rows=2, acc_bits=18),
    AcceleratorConfig(rows=5, columns=4, lanes=4, rescalers=2, drain_rows=2, acc_bits=16),
    AcceleratorConfig(rows=6, columns=4, lanes=4, rescalers=1, drain_rows=4, acc_bits=14),
]


@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.rows}x{c.columns}-R{c.drain_rows}x{c.rescalers}")
def test_tiles_drain_at_their_pace(config: AcceleratorConfig, planes: int) -> None:
    dut: Any = Drain(config)
    plan = pipeline(config)
    rng = np.random.default_rng(config.acc_bits + planes)
    fmt = DyBit(4) if planes == 1 else DyBit(6)
    tiles, pixel_groups = 2, 4
    channels = tiles * config.columns
    bias = rng.integers(-(1 << 9), 1 << 9, channels)
    multiplicand = rng.integers(1 << (config.rescale_bits - 1), 1 << config.rescale_bits, channels)
    shift = rng.integers(config.rescale_bits + 2, config.rescale_bits + 8, channels)
    entries = [
        encode_param(
            *map(int, entry),
            bias_width=config.bias_width,
            rescale_bits=config.rescale_bits,
            shift_bits=config.shift_bits,
        )
        for entry in zip(bias, multiplicand, shift, strict=True)
    ]
    base = 3
    memory = dict(
        enumerate(
            (
                pack(entries[first : first + config.rescalers], config.param_bits)
                for first in range(0, channels, config.rescalers)
            ),
            base,
        )
    )
    fields = {
        "opcode": 1,
        "planes": planes,
        "rows": config.rows,
        "uneven": 1,
        "rounding": fmt.rounding.number,
        "zero": -2,
        "clamp_low": -2,
        "clamp_high": fmt.top,
        "column_groups": tiles,
        "param_base": base,
    }
    half = 1 << (config.acc_bits - 1)
    sums = rng.integers(-half, half, (pixel_groups * tiles, config.rows, config.columns)) >> rng.integers(0, 5)
    counts = [config.rows] * (pixel_groups * tiles - 1) + [1]
    expected = []
    for tile, (acc, count) in enumerate(zip(sums, counts, strict=True)):
        at = slice(tile % tiles * config.columns, (tile % tiles + 1) * config.columns)
        levels = rescale(acc, bias[at], multiplicand[at], shift[at], zero=-2, fmt=fmt, low=-2, high=fmt.top)
        codes = config.digits.to_planes(levels, planes)
        for row in range(0, count, config.drain_rows):
            rows = slice(row, min(count, row + config.drain_rows))
            for first in range(0, config.columns, config.rescalers):
                at = slice(first, first + config.rescalers)
                expected += [codes[plane, rows, at].reshape(-1).tolist() for plane in range(planes)]
    got, arrival = [], []

    async def bench(ctx: Any) -> None:
        words = deque([0] * (plan.param_read - 1))  # on their way out of the memory

        async def cycle() -> None:
            words.append(memory.get(ctx.get(dut.params.address), 0))
            await ctx.tick()
            ctx.set(dut.params.data, words.popleft())
            arrival.append(ctx.get(dut.granules.flags.valid))
            if arrival[-1]:
                codes = unpack(ctx.get(dut.granules.codes), 4, config.drain_rows * config.rescalers)
                got.append(codes[: config.rescalers * (1 + ctx.get(dut.granules.flags.beside).bit_count())])

        ctx.set(dut.instruction.fields.as_value(), pack(COMPUTE.encode(fields), 32))
        ctx.set(dut.instruction.run, 1)
        await cycle()
        arrival.clear()
        for acc, count in zip(sums, counts, strict=True):
            ctx.set(dut.results.sums.as_value(), pack(acc, config.acc_bits))
            ctx.set(dut.count, count)
            ctx.set(dut.results.done, (1 << len(dut.results.done)) - 1)  # all copies
            await cycle()
            ctx.set(dut.results.done, 0)
            ctx.set(dut.results.sums.as_value(), 0)
            for _ in range(-(-config.rows // config.drain_rows) * config.tile_granules * planes - 1):
                await cycle()
        for _ in range(plan.drain):
            await cycle()

    simulate(dut, bench)
    assert got == expected
    assert arrival.index(1) + 1 == plan.drain
    steady = arrival[plan.drain - 1 :][: len(expected)]
    assert steady == [1] * len(expected), "the drain of one tile must follow that of another without a gap"
