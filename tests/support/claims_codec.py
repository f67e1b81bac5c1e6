"""Claims about codes: operands, products and what the encoder writes, against tables of levels."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Array, Const, Mux, Value, signed
from narrows.hw.encoder import Encoder
from narrows.hw.hard_multiplier import HardMultiplier
from narrows.hw.multiplier import Multiplier
from narrows.hw.operand import OPERAND, code_of, operand_bits, recode
from narrows.hw.rescaler import Rescaler
from narrows.hw.spec.config import CODE_BITS, AcceleratorConfig
from narrows.hw.spec.digits import NATIVE
from narrows.hw.spec.formats import DyBit, Format
from prover import Claim

__all__ = [
    "encoder_claim",
    "level_of",
    "nearest_of",
    "operand_claim",
    "product_claim",
    "rounding_formats",
    "shared_products_claim",
]

_LEVELS = (0, 1, 2, 3, 4, 6, 8, 16, 0, -1, -2, -3, -4, -6, -8, -16)
"""Level of each code, as `docs/machine.md` lists them."""

_SPANS = {1: 4, 2: 35, 3: 287, 4: 2303, 5: 18431}
"""Largest integer that so many radix-8 digits hold when all stay within -4..4."""


def level_of(code: Value) -> Value:
    """Level that a native code stands for."""
    return Value.cast(Array(Const(level, signed(6)) for level in _LEVELS)[code])


def nearest_of(levels: list[int], half_units: Value) -> Value:
    """Nearest of increasing levels to a value in half units, ties toward +infinity: compared with every midpoint."""
    shape = signed(max(abs(level) for level in levels).bit_length() + 1)
    nearest: Value = Const(levels[0], shape)
    for lower, upper in pairwise(levels):
        nearest = Mux(half_units >= lower + upper, Const(upper, shape), nearest)
    return nearest


def operand_claim() -> Claim:
    """A code recoded keeps the code and gets the predecoded bits that `operand_bits` documents."""
    claim = Claim("recoded operands are those documented, and hold their code")
    code = claim.free("code", CODE_BITS)
    operand = claim.show("operand", recode(code))
    claim.claim(operand == Array(Const(operand_bits(c), OPERAND.size) for c in range(1 << CODE_BITS))[code])
    claim.claim(code_of(OPERAND(operand)) == code)
    return claim


def product_claim() -> Claim:
    """The multiplier of recoded codes is that of the levels."""
    claim = Claim("product of every pair of codes")
    m = claim.module
    m.submodules.dut = dut = Multiplier()
    codes = [claim.free(name, CODE_BITS) for name in ("a", "b")]
    for port, code in zip((dut.a, dut.b), codes, strict=True):
        m.d.comb += Value.cast(port).eq(Value.cast(OPERAND(recode(code)).magnitude))
    product = claim.show("product", dut.product)
    claim.claim(product == abs(level_of(codes[0]) * level_of(codes[1])))
    return claim


def shared_products_claim() -> Claim:
    """Two products made in one hard multiplier are those of the levels."""
    claim = Claim("products of every three codes in a hard multiplier")
    m = claim.module
    m.submodules.dut = dut = HardMultiplier()
    x, w = [claim.free(name, CODE_BITS) for name in ("x0", "x1")], claim.free("w", CODE_BITS)
    for port, code in zip((dut.x[0], dut.x[1], dut.w), (*x, w), strict=True):
        m.d.comb += Value.cast(port).eq(Value.cast(OPERAND(recode(code)).magnitude))
    for place, code in enumerate(x):
        claim.claim(dut.products[place] == abs(level_of(code) * level_of(w)))
    return claim


def rounding_formats(planes: int) -> list[Format | None]:
    """DyBit formats whose levels ``planes`` planes hold, one of each magnitude width, and None for integers."""
    limit = NATIVE.top if planes == 1 else _SPANS[planes]
    formats = [*(DyBit(bits) for bits in range(2, 9)), DyBit(8, signed=False)]
    return [*(fmt for fmt in formats if fmt.top <= limit), None]


def encoder_claim(config: AcceleratorConfig, planes: int, fmt: Format | None) -> Claim:
    """All planes of what the encoder writes are digits of the nearest level of a format; of all integers if None."""
    claim = Claim(f"encoder of a core of {config.planes} planes: {fmt or 'integers'} in {planes}")
    m = claim.module
    low, high = (fmt.bottom, fmt.top) if fmt else (-_SPANS[planes], _SPANS[planes])
    width = fmt.magnitude_bits if fmt else 0
    half_units = claim.free("half_units", Rescaler.half_units_shape(config))
    claim.assume((half_units >= 2 * low) & (half_units <= 2 * high))
    past = claim.delayed(half_units, Encoder.LATENCY)
    nearest = nearest_of(fmt.levels.tolist(), past) if fmt else (past + 1) >> 1
    total: Value = Const(0)
    for plane in range(planes):
        m.submodules[f"encoder{plane}"] = encoder = Encoder(config)
        m.d.comb += [
            encoder.half_units.eq(half_units),
            encoder.plane.eq(plane),
            encoder.planes.eq(planes),
            encoder.dybit.eq(int(width > 0)),
            encoder.width.eq(width),
        ]
        code = claim.show(f"code{plane}", encoder.code)
        digit = level_of(code)
        if planes > 1:
            claim.claim((digit >= -4) & (digit <= 4))
        claim.claim(code != 1 << (CODE_BITS - 1))
        total = total + (digit << (3 * plane))
    claim.claim(claim.show("level", total) == claim.show("nearest", nearest))
    return claim
