"""Rescaler, and rescaler with encoder: one rounding, as the contract has it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth_bench import simulate
from narrows.hw.drain.encoder import Encoder
from narrows.hw.drain.rescaler import Rescaler
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit, Int, Minifloat
from narrows.hw.spec.pipeline import pipeline
from narrows.hw.spec.rounding import INTEGERS
from narrows.hw.spec.semantics import rescale

MINIFLOATS = Minifloat(2, 1), Minifloat(2, 2, signed=False), Minifloat(3, 2)
WIDTHS = [(2, 12), (2, 32), (4, 12), (4, 16), (8, 16), (8, 32), (16, 16), (16, 32), (32, 28)]


def random_operands(rng: np.random.Generator, config: AcceleratorConfig, count: int) -> dict[str, np.ndarray]:
    """Accumulators, biases, multiplicands and shifts of all sizes, the extremes among them."""
    half_acc, half_bias, k = 1 << (config.acc_bits - 1), 1 << (config.bias_width - 1), config.rescale_bits
    acc = rng.integers(-half_acc, half_acc, count) >> rng.integers(0, config.acc_bits, count)
    bias = rng.integers(-half_bias, half_bias, count) >> rng.integers(0, config.bias_width, count)
    low = rng.integers(0, 1 << (k - 1), count)
    shift = rng.integers(0, config.shift_max + 1, count)
    corners = [
        (a, b, m, s)
        for a in (-half_acc, half_acc - 1)
        for b in (-half_bias, half_bias - 1)
        for m in (0, (1 << (k - 1)) - 1)
        for s in (0, 1, 2, config.shift_max)
    ]
    ties = [(sign * (2 * odd + 1), 0, 0, k) for odd in range(6) for sign in (1, -1)]  # (2n + 1) * 2**(k-1) / 2**k
    acc[: len(corners)], bias[: len(corners)], low[: len(corners)], shift[: len(corners)] = np.array(corners).T
    at = slice(len(corners), len(corners) + len(ties))
    acc[at], bias[at], low[at], shift[at] = np.array(ties).T
    return {"acc": acc, "bias": bias, "multiplicand_low": low, "shift": shift}


@pytest.mark.parametrize(("k", "acc_bits"), WIDTHS)
def test_half_units_are_the_shifted_product_plus_zero_clamped(k: int, acc_bits: int) -> None:
    config = AcceleratorConfig(rescale_bits=k, acc_bits=acc_bits)
    dut: Any = Rescaler(config)
    latency = pipeline(config).rescaler
    rng = np.random.default_rng(k + acc_bits)
    operands = random_operands(rng, config, 250)
    top = config.level_max
    settings = [(0, -top, top), (-4, -4, 16), (top, -top, top), (-top, 3, 3)]
    got: list[list[int]] = []

    async def bench(ctx: Any) -> None:
        for zero, low, high in settings:
            ctx.set(dut.zero, zero)
            ctx.set(dut.low, low)
            ctx.set(dut.high, high)
            results: list[int] = []
            for cycle in range(250 + latency):
                if cycle >= latency:
                    results.append(ctx.get(dut.half_units))
                if cycle < 250:
                    for name, values in operands.items():
                        ctx.set(getattr(dut, name), int(values[cycle]))
                await ctx.tick()
            got.append(results)

    simulate(dut, bench)
    for (zero, low, high), results in zip(settings, got, strict=True):
        expected = []
        for a, b, m, s in zip(*(values.tolist() for values in operands.values()), strict=True):
            value = (a + b) * ((1 << (k - 1)) + m)
            half = (value >> (s - 1) if s else 2 * value) + 2 * zero
            expected.append(min(max(half, 2 * low), 2 * high))
        assert results == expected


class Requantiser(wiring.Component):
    """Rescaler and encoder one behind the other."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.rescaler: Any = Rescaler(config)
        self.encoder: Any = Encoder(config)
        self.code: Any
        super().__init__({"idle": In(1), "code": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.rescaler, m.submodules.encoder = self.rescaler, self.encoder
        m.d.comb += [self.encoder.half_units.eq(self.rescaler.half_units), self.code.eq(self.encoder.code)]
        return m


@pytest.mark.parametrize(
    ("k", "acc_bits", "planes", "base", "rounds_to"),
    [
        *((*widths, "dybit4", "") for widths in [(2, 12, 1), (4, 16, 3), (8, 32, 2), (16, 16, 5), (4, 12, 4)]),
        (4, 16, 1, "e2m1", ""),
        (8, 16, 4, "e2m1", "e2m1+ue2m2+e3m2+dybit"),
    ],
)
def test_rescaled_and_encoded_sums_are_those_of_the_golden_semantics(
    k: int, acc_bits: int, planes: int, base: str, rounds_to: str
) -> None:
    config = AcceleratorConfig(rescale_bits=k, acc_bits=acc_bits, planes=planes, rounds_to=rounds_to, base=base)
    dut: Any = Requantiser(config)
    latency = pipeline(config).rescaler + pipeline(config).encoder
    rng = np.random.default_rng(31 * k + acc_bits)
    formats = (DyBit(2), DyBit(3), DyBit(4), DyBit(6), DyBit(8), Int(4), Int(8), DyBit(5, signed=False), *MINIFLOATS)
    cases = []
    for fmt in formats:
        needed = config.digits.of_format(fmt)
        if needed <= planes and config.rounds(fmt):
            low, zero, high = np.sort(rng.choice(fmt.levels, 3, replace=False)).tolist()
            cases += [(fmt, needed, fmt.bottom, 0, fmt.top), (fmt, needed, low, zero, high)]
    operands = [random_operands(rng, config, 120) for _ in cases]
    got: list[list[int]] = []

    async def bench(ctx: Any) -> None:
        for (fmt, needed, low, zero, high), values in zip(cases, operands, strict=True):
            ctx.set(dut.rescaler.zero, zero)
            ctx.set(dut.rescaler.low, low)
            ctx.set(dut.rescaler.high, high)
            ctx.set(dut.encoder.uneven, int(fmt.rounding != INTEGERS))
            ctx.set(dut.encoder.rounding, fmt.rounding.number)
            ctx.set(dut.encoder.planes, needed)
            for plane in range(needed):
                ctx.set(dut.encoder.plane, plane)
                results: list[int] = []
                for cycle in range(120 + latency):
                    if cycle >= latency:
                        results.append(ctx.get(dut.code))
                    if cycle < 120:
                        for name, column in values.items():
                            ctx.set(getattr(dut.rescaler, name), int(column[cycle]))
                    await ctx.tick()
                got.append(results)

    simulate(dut, bench)
    place = 0
    for (fmt, needed, low, zero, high), values in zip(cases, operands, strict=True):
        signed_fmt = dataclasses.replace(fmt, bits=fmt.magnitude_bits + 1, signed=True)
        levels = np.concatenate(
            [
                rescale([[a]], [b], [(1 << (k - 1)) + m], [s], zero=zero, fmt=signed_fmt, low=low, high=high)[0]
                for a, b, m, s in zip(*values.values(), strict=True)
            ]
        )
        codes = config.digits.to_planes(levels, needed)
        for plane in range(needed):
            assert got[place] == codes[plane].tolist(), (fmt.name, low, zero, high, plane)
            place += 1
    assert place == len(got) > 0
