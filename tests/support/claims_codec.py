"""Claims about codes: operands, products and what the encoder writes, against tables of levels."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Array, Const, Mux, Value, signed
from narrows.hw.array.hard_multiplier import HardMultiplier
from narrows.hw.array.multiplier import Multiplier
from narrows.hw.array.operand import code_of, operand_bits, operand_layout, recode
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
}
"""Level of each code of a base, as `docs/numerics.md` lists them."""

DIGIT_SHIFTS = {"dybit4": 3, "e2m1": 3, "int4": 3, "dybit2": 1}
"""Bits by which the digits of a base differ in weight."""

_SPANS = {
    "dybit4": {1: 4, 2: 35, 3: 287, 4: 2303, 5: 18431},
    "e2m1": {1: 4, 2: 35, 3: 287},
    "int4": {1: 7, 2: 59, 3: 479},
    "dybit2": {1: 1, 2: 2, 3: 5, 4: 11, 5: 23, 6: 47, 7: 95, 8: 191},
}
"""Largest integer that so many digits hold when all but the first stay within half the radix."""


def level_of(code: Value, base: str = "dybit4") -> Value:
    """Level that a code of a base stands for."""
    return Value.cast(Array(Const(level, signed(6)) for level in _LEVELS[base])[code])


def nearest_of(levels: list[int], half_units: Value) -> Value:
    """Nearest of increasing levels to a value in half units, ties toward +infinity: compared with every midpoint."""
    shape = signed(max(abs(level) for level in levels).bit_length() + 1)
    nearest: Value = Const(levels[0], shape)
    for lower, upper in pairwise(levels):
        nearest = Mux(half_units >= lower + upper, Const(upper, shape), nearest)
    return nearest


def operand_claim(config: AcceleratorConfig) -> Claim:
    """A code recoded keeps the code and gets the predecoded bits that `operand_bits` documents."""
    base, layout = config.digits.base, operand_layout(config.digits.base)
    claim = Claim(f"recoded operands of {base} are those documented, and hold their code")
    code = claim.free("code", base.bits)
    operand = claim.show("operand", recode(base, code))
    claim.claim(operand == Array(Const(operand_bits(base, c), layout.size) for c in range(1 << base.bits))[code])
    claim.claim(code_of(layout(operand)) == code)
    return claim


def product_claim(config: AcceleratorConfig, *, first: bool = True) -> Claim:
    """The multiplier of recoded codes is that of the levels."""
    base, layout = config.digits.base, operand_layout(config.digits.base)
    claim = Claim(f"product of every pair of codes of {base} for {config.fabric}")
    m = claim.module
    m.submodules.dut = dut = Multiplier(config, first=first)
    codes = [claim.free(name, base.bits) for name in ("a", "b")]
    for port, code in zip((dut.x, dut.w), codes, strict=True):
        m.d.comb += Value.cast(port).eq(Value.cast(layout(recode(base, code)).magnitude))
    inverted = claim.free("inverted", 1)
    m.d.comb += dut.inverted.eq(inverted)
    product = claim.show("product", dut.product ^ inverted.replicate(config.product_bits))
    claim.claim(product == abs(level_of(codes[0], config.base) * level_of(codes[1], config.base)))
    return claim


def shared_products_claim(config: AcceleratorConfig) -> Claim:
    """Two products made in one hard multiplier are those of the levels."""
    base, layout = config.digits.base, operand_layout(config.digits.base)
    claim = Claim(f"products of every three codes of {base} in a hard multiplier")
    m = claim.module
    m.submodules.dut = dut = HardMultiplier(config)
    x, w = [claim.free(name, base.bits) for name in ("x0", "x1")], claim.free("w", base.bits)
    for port, code in zip((dut.x[0], dut.x[1], dut.w), (*x, w), strict=True):
        m.d.comb += Value.cast(port).eq(Value.cast(layout(recode(base, code)).magnitude))
    for place, code in enumerate(x):
        claim.claim(dut.products[place] == abs(level_of(code, config.base) * level_of(w, config.base)))
    return claim


def rounding_formats(planes: int, base: str = "dybit4") -> list[Format | None]:
    """Formats of each rounding whose levels ``planes`` planes of a core hold, and None for integers: DyBit, or in base
    E2M1 minifloats."""
    limit = max(_LEVELS[base]) if planes == 1 else _SPANS[base][planes]
    dybit = [*(DyBit(bits) for bits in range(2, 9)), DyBit(8, signed=False)]
    formats = [Minifloat(2, 1), Minifloat(3, 1)] if base == "e2m1" else dybit
    fitting = (fmt for fmt in formats if fmt.top <= limit)
    return [*(fmt for fmt in fitting if planes > 1 or {*fmt.levels.tolist()} <= {*_LEVELS[base]}), None]


def encoder_claim(config: AcceleratorConfig, planes: int, fmt: Format | None) -> Claim:
    """All planes of what the encoder writes are digits of the nearest level of a format; of all integers if None."""
    claim = Claim(f"encoder of a core of {config.planes} planes of {config.base}: {fmt or 'integers'} in {planes}")
    m = claim.module
    low, high = (fmt.bottom, fmt.top) if fmt else (-_SPANS[config.base][planes], _SPANS[config.base][planes])
    radix_log2 = DIGIT_SHIFTS[config.base]
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
        digit = level_of(code, config.base)
        if plane < planes - 1:
            claim.claim((digit >= -(1 << radix_log2 >> 1)) & (digit <= 1 << radix_log2 >> 1))
        claim.claim(code != 1 << (len(code) - 1))
        total = total + (digit << (radix_log2 * plane))
    claim.claim(claim.show("level", total) == claim.show("nearest", nearest))
    return claim
