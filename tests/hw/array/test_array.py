"""MacArray: accumulation over steps with first, shift and last, modulo the accumulator's width."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, signed, simulate, unpack
from narrows.hw.array.array import MacArray, operand_copies
from narrows.hw.array.operand import act_operand, weight_operand
from narrows.hw.spec import config as config_module
from narrows.hw.spec.config import FABRICS, AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline

CONFIGS = [
    AcceleratorConfig(rows=1, columns=1, lanes=2, rescalers=1, acc_bits=12, tree_stage=1),
    AcceleratorConfig(rows=2, columns=2, lanes=8, rescalers=2, acc_bits=12, tree_stage=1),
    AcceleratorConfig(rows=2, columns=1, lanes=16, rescalers=1, acc_bits=16, tree_stage=2),
    AcceleratorConfig(rows=1, columns=3, lanes=4, rescalers=1, acc_bits=32, tree_stage=6),
    AcceleratorConfig(rows=3, columns=2, lanes=4, rescalers=1, acc_bits=16, tree_stage=1, product_stage=1, dsp_lanes=4),
    AcceleratorConfig(rows=2, columns=2, lanes=8, rescalers=1, acc_bits=16, product_stage=1),
    AcceleratorConfig(rows=4, columns=1, lanes=8, rescalers=1, acc_bits=16, dsp_lanes=3),
    AcceleratorConfig(base="int4", rows=2, columns=2, lanes=8, rescalers=1, acc_bits=16, dsp_lanes=2),
    AcceleratorConfig(base="dybit2", rows=2, columns=2, lanes=16, rescalers=1, acc_bits=12),
    AcceleratorConfig(base="int3", rows=1, columns=2, lanes=8, rescalers=1, acc_bits=14),
    AcceleratorConfig(base="int4", rows=3, columns=3, lanes=4, rescalers=1, acc_bits=16, dsp_lanes=4),
    AcceleratorConfig(weight_base="dybit2", rows=2, columns=2, lanes=16, rescalers=1, acc_bits=14),
    AcceleratorConfig(weight_base="dybit2", rows=2, columns=2, lanes=8, rescalers=1, acc_bits=14, dsp_lanes=3),
    AcceleratorConfig(weight_base="dybit3", act_base="int4", rows=2, columns=3, lanes=8, rescalers=1, acc_bits=14),
    AcceleratorConfig(
        weight_base="int5", act_base="int8", rows=3, columns=3, lanes=4, rescalers=1, acc_bits=20, dsp_lanes=3
    ),
    AcceleratorConfig(act_base="int8", rows=2, columns=2, lanes=4, rescalers=1, acc_bits=20, dsp_lanes=4),
]


def random_steps(rng: np.random.Generator, count: int) -> list[dict[str, int]]:
    """Flags of steps in tiles of random length, with idle cycles whose other flags mean nothing."""
    steps, position, length = [], 0, int(rng.integers(1, 6))
    while len(steps) < count:
        if rng.random() < 0.2:
            steps.append({"valid": 0} | {name: int(rng.integers(2)) for name in ("first", "shift", "last")})
            continue
        steps.append(
            {
                "valid": 1,
                "first": int(position == 0),
                "shift": int(position > 0 and rng.random() < 0.3),
                "last": int(position == length - 1),
            }
        )
        position += 1
        if position == length:
            position, length = 0, int(rng.integers(1, 6))
    return steps


@pytest.mark.parametrize("fabric", FABRICS)
@pytest.mark.parametrize(
    "config",
    CONFIGS,
    ids=lambda c: f"{c.formats}-{c.rows}x{c.columns}x{c.lanes}-P{c.acc_bits}-dsp{c.dsp_lanes}-reg{c.product_stage}",
)
def test_finished_sums_of_random_tiles_are_exact_modulo_the_width(config: AcceleratorConfig, fabric: str) -> None:
    config = dataclasses.replace(config, fabric=fabric)
    kinds = act_operand(config), weight_operand(config)
    operands = [np.array([kind.bits(code) for code in range(1 << kind.base.bits)]) for kind in kinds]
    dut: Any = MacArray(config)
    latency = pipeline(config).array
    rng = np.random.default_rng(config.acc_bits + config.lanes)
    steps = random_steps(rng, 120)
    x = rng.integers(0, len(operands[0]), (len(steps), config.rows, config.lanes))
    w = rng.integers(0, len(operands[1]), (len(steps), config.columns, config.lanes))
    heavy = rng.random(len(steps)) < 0.3  # sums that pass the accumulator's range
    ends = [kind.base.encode([kind.base.bottom, kind.base.top]) for kind in kinds]
    x[heavy], w[heavy] = ends[0][-1], rng.choice(ends[1])
    got = {}

    async def bench(ctx: Any) -> None:
        for cycle in range(len(steps) + latency):
            if cycle < len(steps):
                copies = operand_copies(config), 1, 1
                x_now, w_now = np.tile(operands[0][x[cycle]], copies), np.tile(operands[1][w[cycle]], copies)
                ctx.set(dut.operands.x.as_value(), pack(x_now, kinds[0].layout.size))
                ctx.set(dut.operands.w.as_value(), pack(w_now, kinds[1].layout.size))
                for name, value in steps[cycle].items():
                    ctx.set(dut.operands.flags[name], value)
            else:
                ctx.set(dut.operands.flags.valid, 0)
            await ctx.tick()
            if ctx.get(dut.results.done) & 1:
                fields = unpack(ctx.get(dut.results.sums.as_value()), config.acc_bits, config.rows * config.columns)
                inverted = unpack(ctx.get(dut.results.inverted.as_value()), 1, config.rows * config.columns)
                sums = [signed(field, config.acc_bits) for field in fields]
                got[cycle + 1] = [~sum_ if flip else sum_ for sum_, flip in zip(sums, inverted, strict=True)]

    simulate(dut, bench)
    expected, half = {}, 1 << (config.acc_bits - 1)
    sums = np.zeros((config.rows, config.columns), dtype=np.int64)
    for cycle, flags in enumerate(steps):
        if not flags["valid"]:
            continue
        start = 0 if flags["first"] else sums << config.digit_shift if flags["shift"] else sums
        sums = start + kinds[0].base.decode(x[cycle]) @ kinds[1].base.decode(w[cycle]).T
        if flags["last"]:
            expected[cycle + latency] = ((sums + half) % (2 * half) - half).ravel().tolist()
    assert got == expected


def test_parts_of_a_large_array_take_copies_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "MOST_NEAR", 1)
    config = AcceleratorConfig(rows=5, columns=6, lanes=2, rescalers=1, acc_bits=16)
    base, operand = config.digits.base, act_operand(config)
    operands = np.array([operand.bits(code) for code in range(1 << base.bits)])
    rng = np.random.default_rng(3)
    x = rng.integers(0, 1 << base.bits, (8, config.rows, config.lanes))
    w = rng.integers(0, 1 << base.bits, (8, config.columns, config.lanes))
    dut: Any = MacArray(config)
    found: list[int] = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.operands.x.as_value(), pack(operands[x], operand.layout.size))
        ctx.set(dut.operands.w.as_value(), pack(operands[w], operand.layout.size))
        for name in ("valid", "first", "last"):
            ctx.set(dut.operands.flags[name], 1)
        for _ in range(pipeline(config).array):
            await ctx.tick()
        sums = unpack(ctx.get(dut.results.sums.as_value()), config.acc_bits, config.rows * config.columns)
        inverted = unpack(ctx.get(dut.results.inverted.as_value()), 1, config.rows * config.columns)
        found.extend(signed(~s if flip else s, config.acc_bits) for s, flip in zip(sums, inverted, strict=True))

    simulate(dut, bench)
    parts = [[(row * 8 // config.rows, column * 8 // config.columns) for column in range(6)] for row in range(5)]
    assert found == [
        int(base.decode(x[x_copy, row]) @ base.decode(w[w_copy, column]))
        for row, line in enumerate(parts)
        for column, (w_copy, x_copy) in enumerate(line)
    ]


def test_every_dot_product_of_an_ecp5_has_operands_of_its_own_as_far_as_registers_double() -> None:
    large = AcceleratorConfig(rows=4, columns=8, lanes=16, rescalers=4)
    assert operand_copies(large) == 8
    assert operand_copies(dataclasses.replace(large, fabric="xilinx")) == 1
    assert operand_copies(AcceleratorConfig(rows=4, columns=4)) == 4
    assert operand_copies(AcceleratorConfig(rows=2, columns=2, rescalers=2)) == 2
    assert operand_copies(AcceleratorConfig(rows=8, columns=4, lanes=8)) == 4
