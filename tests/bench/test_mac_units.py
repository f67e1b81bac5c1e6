"""Units of the benchmark compute what they are said to compute, when they are said to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, signed, simulate, unpack
from hardware.cases import CASES, Case
from hardware.units import CoreUnit, RescalerChannel
from narrows.hw.array.array import STEP_FLAGS
from narrows.hw.spec.config import FABRICS, AcceleratorConfig, bases_of
from narrows.hw.spec.formats import DyBit
from narrows.hw.verilog import convert, to_verilog
from narrows.sw.standalone.ports import core_ports
from numpy.typing import NDArray

STEPS = 12


def wrapped(sums: NDArray[np.int64], bits: int) -> list[int]:
    half = 1 << (bits - 1)
    return ((sums + half) % (2 * half) - half).ravel().tolist()


def sums_of_steps(case: Case, words: list[int], fabric: str = "ecp5") -> list[int]:
    """Sums that a unit holds after one step in each cycle."""
    unit: Any = case.build(fabric)
    got: list[int] = []

    async def bench(ctx: Any) -> None:
        for word in words:
            ctx.set(unit.operands, word)
            await ctx.tick()
        ctx.set(unit.operands, 0)
        for _ in range(unit.latency - 1):
            await ctx.tick()
        results, count = ctx.get(unit.results), case.rows * case.columns
        inverted = unpack(results >> (case.acc_bits * count), 1, count) if fabric == "xilinx" else [0] * count
        sums = (signed(field, case.acc_bits) for field in unpack(results, case.acc_bits, count))
        got.extend(~sum_ if flip else sum_ for sum_, flip in zip(sums, inverted, strict=True))

    simulate(unit, bench)
    return got


@pytest.mark.parametrize(
    "unit",
    ["int4-plain", "int8-plain-reg", "int4-dot", "int4-dot-dsp", "int8-dot", "int8-dot-dsp", "int8-dot-reg"],
)
@pytest.mark.parametrize("tree_stage", [1, 2])
def test_integer_arrays_sum_products_modulo_the_accumulator(unit: str, tree_stage: int) -> None:
    lanes = 8 if "dot" in unit else 1
    case = Case(unit=unit, rows=2, columns=3, lanes=lanes, acc_bits=12, tree_stage=tree_stage)
    bits = int(case.format.removeprefix("int"))
    rng = np.random.default_rng(bits + lanes)
    x = rng.integers(-1 << (bits - 1), 1 << (bits - 1), (STEPS, case.rows, lanes))
    w = rng.integers(-1 << (bits - 1), 1 << (bits - 1), (STEPS, case.columns, lanes))
    first = np.arange(STEPS) == 4
    valid = np.arange(STEPS) != 7
    words = [
        pack(np.concatenate([x[step].ravel(), w[step].ravel()]), bits)
        | (int(valid[step]) | int(first[step]) << 1) << (bits * (x[step].size + w[step].size))
        for step in range(STEPS)
    ]
    counted = [step for step in range(4, STEPS) if valid[step]]
    expected = sum(x[step] @ w[step].T for step in counted)
    assert sums_of_steps(case, words) == wrapped(expected, case.acc_bits)


@pytest.mark.parametrize("fabric", FABRICS)
@pytest.mark.parametrize(
    ("unit", "tree_stage", "product_stage", "dsp_lanes"),
    [
        ("dybit4", 1, 0, 0),
        ("dybit4", 2, 1, 0),
        ("dybit4", 2, 1, 8),
        ("int4", 2, 0, 0),
        ("dybit2", 1, 0, 0),
        ("int3", 2, 0, 0),
        ("dybit2xdybit4", 2, 0, 0),
        ("dybit4xint8", 2, 0, 8),
    ],
)
def test_our_arrays_sum_levels_of_codes(
    unit: str, tree_stage: int, product_stage: int, dsp_lanes: int, fabric: str
) -> None:
    options = {"tree_stage": tree_stage, "product_stage": product_stage, "dsp_lanes": dsp_lanes}
    case = Case(unit=unit, rows=2, columns=3, lanes=8, acc_bits=12, **options)
    config = AcceleratorConfig(**bases_of(unit))
    acts, weights = config.digits.base, config.weight_digits.base
    rng = np.random.default_rng(8)
    x = rng.integers(0, 1 << acts.bits, (STEPS, case.rows, case.lanes))
    w = rng.integers(0, 1 << weights.bits, (STEPS, case.columns, case.lanes))
    flags = [STEP_FLAGS.const({"valid": 1, "first": int(step == 4)}).as_value().value for step in range(STEPS)]
    words = [
        pack(x[step].ravel(), config.code_bits)
        | pack(w[step].ravel(), config.weight_bits) << config.code_bits * x[step].size
        | flags[step] << (config.code_bits * x[step].size + config.weight_bits * w[step].size)
        for step in range(STEPS)
    ]
    expected = sum(acts.decode(x[step]) @ weights.decode(w[step]).T for step in range(4, STEPS))
    assert sums_of_steps(case, words, fabric) == wrapped(expected, case.acc_bits)


def test_a_rescaler_channel_rounds_once_and_encodes() -> None:
    config = AcceleratorConfig(acc_bits=16, rescale_bits=4)
    unit: Any = RescalerChannel(config)
    widths = [
        ("acc", config.acc_bits),
        ("bias", config.bias_width),
        ("multiplicand_low", config.rescale_bits - 1),
        ("shift", config.shift_bits),
        ("zero", config.level_bits),
        ("low", config.level_bits),
        ("high", config.level_bits),
        ("plane", 2),
        ("uneven", 1),
        ("rounding", 4),
        ("planes", 2),
    ]
    values = {
        "acc": 1000,
        "bias": -40,
        "multiplicand_low": 3,
        "shift": 10,
        "zero": -1,
        "low": -16,
        "high": 16,
        "plane": 0,
        "uneven": 1,
        "rounding": 3,
        "planes": 1,
    }
    word, offset = 0, 0
    for name, width in widths:
        word |= (values[name] & ((1 << width) - 1)) << offset
        offset += width
    assert offset == len(unit.operands)
    codes = []

    async def bench(ctx: Any) -> None:
        ctx.set(unit.operands, word)
        for _ in range(unit.latency):
            await ctx.tick()
        codes.append(ctx.get(unit.results))

    simulate(unit, bench)
    assert DyBit(4).decode(codes).tolist() == [8]  # 960 * 11 / 1024 - 1 = 9.3


def test_the_table_holds_every_yardstick_it_promises() -> None:
    widths = {(case.unit, case.acc_bits) for case in CASES}
    assert {("dybit4", width) for width in (32, 20, 16, 12)} <= widths
    assert {("int4-plain", width) for width in (32, 20, 16, 12)} <= widths
    assert {case.rescale_bits for case in CASES if case.unit == "rescaler"} == {32, 16, 8, 4}
    assert len(set(CASES)) == len(CASES)


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unit must be one of dybit4, .*, not 'int5'"):
        Case(unit="int5")


@pytest.mark.parametrize("backing", ["none", "axi4"])
def test_a_whole_core_has_all_its_pins_behind_two_ports(backing: str) -> None:
    config = AcceleratorConfig(rows=1, columns=1, lanes=2, rescalers=1, backing=backing)
    pins = core_ports(to_verilog(config))
    widths = {
        way: sum(pin.width for pin in pins if pin.direction == way and pin.name not in ("clk", "rst"))
        for way in ("input", "output")
    }
    unit = CoreUnit(config)
    assert (len(unit.operands), len(unit.results)) == (widths["input"], widths["output"])
    assert f"input [{widths['input'] - 1}:0] operands" in convert(unit, "unit")
