"""Claims about codes: operands, products and what the encoder writes, against tables of levels."""

from __future__ import annotations

import itertools
from itertools import pairwise

from amaranth.hdl import Array, Const, Mux, Value, signed
from narrows.hw.array.hard_multiplier import HardMultiplier, products_together
from narrows.hw.array.multiplier import Multiplier
from narrows.hw.array.operand import Operand, act_operand, weight_operand
from narrows.hw.drain.encoder import Encoder
from narrows.hw.drain.rescaler import Rescaler
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit, Format, Minifloat
from narrows.hw.spec.pipeline import pipeline
from prover import Claim

__all__ = [
    "DIGIT_SHIFTS",
    "encoder_claim",
    "level_of",
    "nearest_of",
    "operand_claim",
    "product_claim",
    "rounding_formats",
    "shared_products_claim",
]

_LEVELS = {
    "dybit4": (0, 1, 2, 3, 4, 6, 8, 16, 0, -1, -2, -3, -4, -6, -8, -16),
    "e2m1": (0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12),
    "int4": (0, 1, 2, 3, 4, 5, 6, 7, 0, -1, -2, -3, -4, -5, -6, -7),
    "dybit2": (0, 1, 0, -1),
    "dybit3": (0, 1, 2, 4, 0, -1, -2, -4),
    "int3": (0, 1, 2, 3, 0, -1, -2, -3),
    "int5": (*range(16), *range(0, -16, -1)),
    "int8": (*range(128), -128, *range(-1, -128, -1)),
}
"""Level of each code of a base, as `docs/numerics.md` lists them."""

DIGIT_SHIFTS = {
    "dybit4": (3, 3),
    "e2m1": (3, 3),
    "int4": (3, 3),
    "dybit2": (1, 1),
    "dybit2xdybit4": (1, 3),
    "dybit3xdybit4": (2, 2),
    "int4xint8": (3, 6),
    "int5xint8": (4, 4),
}
"""Bits by which the digits of weights and of activations differ in weight, by base formats."""

_SPANS = {
    "dybit4": {1: 4, 2: 35, 3: 287, 4: 2303, 5: 18431},
    "e2m1": {1: 4, 2: 35, 3: 287},
    "int4": {1: 7, 2: 59, 3: 479},
    "dybit3xdybit4": {1: 4, 2: 17, 3: 71, 4: 287},
    "int4xint8": {1: 127, 2: 8159},
    "dybit2": {1: 1, 2: 2, 3: 5, 4: 11, 5: 23, 6: 47, 7: 95, 8: 191},
}
"""Largest integer that so many digits hold when all but the first stay within half the radix."""


def level_of(code: Value, base: str = "dybit4") -> Value:
    """Level that a code of a base stands for."""
    return Value.cast(Array(Const(level, signed(9)) for level in _LEVELS[base])[code])


def nearest_of(levels: list[int], half_units: Value) -> Value:
    """Nearest of increasing levels to a value in half units, ties toward +infinity: compared with every midpoint."""
    shape = signed(max(abs(level) for level in levels).bit_length() + 1)
    nearest: Value = Const(levels[0], shape)
    for lower, upper in pairwise(levels):
        nearest = Mux(half_units >= lower + upper, Const(upper, shape), nearest)
    return nearest


def operand_claim(kind: Operand) -> Claim:
    """A code recoded keeps the code and gets the predecoded bits that `Operand.bits` documents."""
    base = kind.base
    claim = Claim(f"recoded operands of {base} are those documented, and hold their code")
    code = claim.free("code", base.bits)
    operand = claim.show("operand", kind.recode(code))
    claim.claim(operand == Array(Const(kind.bits(c), kind.layout.size) for c in range(1 << base.bits))[code])
    claim.claim(kind.code_of(kind.layout(operand)) == code)
    return claim


def _magnitude(kind: Operand, code: Value) -> Value:
    return Value.cast(kind.layout(kind.recode(code)).magnitude)


def product_claim(config: AcceleratorConfig, *, first: bool = True, masked: bool = False) -> Claim:
    """The multiplier of recoded codes is that of the levels."""
    claim = Claim(f"products of every two codes of {config.formats} in look-up tables for {config.fabric}")
    m = claim.module
    m.submodules.dut = dut = Multiplier(config, first=first, masked=masked)
    kinds = act_operand(config), weight_operand(config)
    codes = [claim.free(name, kind.base.bits) for name, kind in zip(("x", "w"), kinds, strict=True)]
    for port, kind, code in zip((dut.x, dut.w), kinds, codes, strict=True):
        m.d.comb += Value.cast(port).eq(_magnitude(kind, code))
    if masked:
        product = claim.show("product", dut.product & dut.mask)
    else:
        inverted = claim.free("inverted", 1)
        m.d.comb += dut.inverted.eq(inverted)
        product = claim.show("product", dut.product ^ inverted.replicate(config.product_bits))
    claim.claim(product == abs(level_of(codes[0], config.act_format) * level_of(codes[1], config.weight_format)))
    return claim


def shared_products_claim(config: AcceleratorConfig) -> Claim:
    """Products made in one hard multiplier are those of the levels."""
    rows, columns = products_together(config)
    claim = Claim(f"{rows} x {columns} products of codes of {config.formats} in a hard multiplier for {config.fabric}")
    m = claim.module
    m.submodules.dut = dut = HardMultiplier(config)
    acts, weights = act_operand(config), weight_operand(config)
    x = [claim.free(f"x{place}", acts.base.bits) for place in range(rows)]
    w = [claim.free(f"w{place}", weights.base.bits) for place in range(columns)]
    m.d.comb += [Value.cast(port).eq(_magnitude(acts, code)) for port, code in zip(dut.x, x, strict=True)]
    m.d.comb += [Value.cast(port).eq(_magnitude(weights, code)) for port, code in zip(dut.w, w, strict=True)]
    for row, column in itertools.product(range(rows), range(columns)):
        product = level_of(x[row], config.act_format) * level_of(w[column], config.weight_format)
        claim.claim(dut.products[column][row] == abs(product))
    return claim


def rounding_formats(planes: int, bases: str = "dybit4") -> list[Format | None]:
    """Formats of each rounding whose levels ``planes`` planes of a core hold, and None for integers: DyBit, or in base
    E2M1 minifloats."""
    base = bases.rpartition("x")[2]
    limit = max(_LEVELS[base]) if planes == 1 else _SPANS[bases][planes]
    dybit = [*(DyBit(bits) for bits in range(2, 9)), DyBit(8, signed=False)]
    formats = [Minifloat(2, 1), Minifloat(3, 1)] if base == "e2m1" else dybit
    fitting = (fmt for fmt in formats if fmt.top <= limit)
    return [*(fmt for fmt in fitting if planes > 1 or {*fmt.levels.tolist()} <= {*_LEVELS[base]}), None]


def encoder_claim(config: AcceleratorConfig, planes: int, fmt: Format | None) -> Claim:
    """All planes of what the encoder writes are digits of the nearest level of a format; of all integers if None."""
    claim = Claim(f"encoder of a core of {config.planes} planes of {config.formats}: {fmt or 'integers'} in {planes}")
    m = claim.module
    span = _SPANS[config.formats][planes]
    whole = planes == 1 and config.act_format == "int8"  # one level more, in place of minus zero
    low, high = (fmt.bottom, fmt.top) if fmt else (-span - whole, span)
    radix_log2 = DIGIT_SHIFTS[config.formats][1]
    half_units = claim.free("half_units", Rescaler.half_units_shape(config))
    claim.assume((half_units >= 2 * low) & (half_units <= 2 * high))
    past = claim.delayed(half_units, pipeline(config).encoder)
    nearest = nearest_of(fmt.levels.tolist(), past) if fmt else (past + 1) >> 1
    total: Value = Const(0)
    for plane in range(planes):
        m.submodules[f"encoder{plane}"] = encoder = Encoder(config)
        m.d.comb += [
            encoder.half_units.eq(half_units),
            encoder.plane.eq(plane),
            encoder.planes.eq(planes),
            encoder.uneven.eq(int(fmt is not None)),
            encoder.rounding.eq(fmt.rounding.number if fmt else 0),
        ]
        code = claim.show(f"code{plane}", encoder.code)
        digit = level_of(code, config.act_format)
        if plane < planes - 1:
            claim.claim((digit >= -(1 << radix_log2 >> 1)) & (digit <= 1 << radix_log2 >> 1))
        claim.claim((code != 1 << (len(code) - 1)) | int(whole))
        total = total + (digit << (radix_log2 * plane))
    claim.claim(claim.show("level", total) == claim.show("nearest", nearest))
    return claim
