"""Formats: level tables, codes, and rounding to the nearest level."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.formats import MAX_BITS, MAX_INT_BITS, MIN_BITS, DyBit, Int, Minifloat, parse_format, roundings_of

FORMATS = [
    kind(bits, signed) for kind in (DyBit, Int) for bits in range(MIN_BITS, MAX_BITS + 1) for signed in (True, False)
] + [Int(bits, signed) for bits in (12, MAX_INT_BITS - 1) for signed in (True, False)]
MINIFLOATS = [
    Minifloat(exponent, mantissa, signed)
    for signed in (True, False)
    for exponent in (2, 3)
    for mantissa in range(MAX_BITS - signed - exponent + 1)
]
FORMATS += MINIFLOATS
formats = st.sampled_from(FORMATS)


@pytest.mark.parametrize(
    ("fmt", "levels"),
    [
        (DyBit(2), [0, 1]),
        (DyBit(2, signed=False), [0, 1, 2, 4]),
        (DyBit(3), [0, 1, 2, 4]),
        (DyBit(4), [0, 1, 2, 3, 4, 6, 8, 16]),
        (DyBit(4, signed=False), [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24, 32, 64]),
        (
            DyBit(8),
            [
                *range(64),
                *range(64, 127, 2),
                *range(128, 249, 8),
                *range(256, 481, 32),
                *range(512, 897, 128),
                1024,
                1536,
                2048,
                4096,
            ],
        ),
        (Minifloat(2, 1), [0, 1, 2, 3, 4, 6, 8, 12]),
        (Minifloat(2, 2, signed=False), [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28]),
        (Minifloat(3, 0), [0, 1, 2, 4, 8, 16, 32, 64]),
        (Int(4), list(range(8))),
        (Int(4, signed=False), list(range(16))),
        (Int(8), list(range(128))),
        (Int(8, signed=False), list(range(256))),
    ],
    ids=str,
)
def test_magnitudes_are_those_of_the_published_table(fmt, levels):
    assert list(fmt.magnitudes) == levels


@pytest.mark.parametrize("width", range(1, 9))
def test_dybit_codes_are_an_exponent_of_leading_ones_and_a_mantissa(width):
    for code, level in enumerate(DyBit(width, signed=False).magnitudes if width > 1 else DyBit(2).magnitudes):
        bits = f"{code:0{width}b}"
        ones = len(bits) - len(bits.lstrip("1"))
        if ones == 0:
            assert level == code
        elif ones == width:
            assert level == 4 ** (width - 1)
        else:
            assert level == int("1" + bits[ones + 1 :], 2) << (2 * ones - 1)


@pytest.mark.parametrize("fmt", MINIFLOATS, ids=str)
def test_minifloat_codes_are_floating_point_with_subnormals(fmt):
    mantissa_bits = int(fmt.name[-1])
    for code, level in enumerate(fmt.magnitudes):
        exponent, mantissa = code >> mantissa_bits, code & ((1 << mantissa_bits) - 1)
        real = Fraction(mantissa + (1 << mantissa_bits) * (exponent > 0)) * 2 ** max(exponent, 1)
        assert level == real / 2


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_octaves_tell_how_far_levels_are_apart(fmt):
    for level, following in pairwise(fmt.magnitudes):
        steps = [step for start, step in fmt.octaves if start <= level]
        assert following - level == (steps[-1] if steps else 1)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_levels_are_sorted_unique_and_symmetric_if_signed(fmt):
    levels = fmt.levels.tolist()
    assert levels == sorted(set(levels))
    assert (levels[0], levels[-1]) == (fmt.bottom, fmt.top)
    assert len(fmt.magnitudes) == 1 << fmt.magnitude_bits
    if fmt.signed:
        assert levels == [-level for level in reversed(levels)]
    else:
        assert levels == list(fmt.magnitudes)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_encode_and_decode_are_inverse(fmt):
    levels = fmt.levels
    codes = fmt.encode(levels)
    np.testing.assert_array_equal(fmt.decode(codes), levels)
    assert codes.min() >= 0
    assert codes.max() < 1 << fmt.bits
    assert len(set(codes.tolist())) == len(levels)


@pytest.mark.parametrize("fmt", [fmt for fmt in FORMATS if fmt.signed], ids=str)
def test_minus_zero_decodes_to_zero_and_is_never_produced(fmt):
    minus_zero = 1 << fmt.magnitude_bits
    assert fmt.decode(minus_zero) == 0
    assert fmt.encode(0) == 0


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_a_number_between_levels_is_refused(fmt):
    wrong = sorted(set(range(fmt.bottom - 1, fmt.top + 2)) - set(fmt.levels.tolist()))
    for value in wrong[:3] + wrong[-3:]:
        with pytest.raises(ValueError, match=f"^{value} is not a level of {fmt}$"):
            fmt.encode([0, value])


def test_a_code_beyond_the_bits_is_refused():
    with pytest.raises(ValueError, match="code 16 does not fit the 4 bits of dybit4"):
        DyBit(4).decode([0, 16])
    with pytest.raises(ValueError, match="code -1 does not fit"):
        DyBit(4).decode(-1)


@given(formats, st.floats(-1e6, 1e6))
def test_quantise_takes_the_nearest_level_and_the_upper_of_two(fmt, value):
    exact = Fraction(value)
    best = min(fmt.levels.tolist(), key=lambda level: (abs(level - exact), -level))
    assert fmt.quantise(value) == best


@given(formats, st.data())
def test_ties_go_toward_plus_infinity(fmt, data):
    index = data.draw(st.integers(0, len(fmt.levels) - 2))
    low, high = fmt.levels[index : index + 2]
    middle = (low + high) / 2
    assert fmt.quantise(middle) == high
    assert fmt.quantise(np.nextafter(middle, -np.inf)) == low


@given(formats)
def test_both_ends_clamp(fmt):
    assert fmt.quantise([-np.inf, np.inf]).tolist() == [fmt.bottom, fmt.top]


def test_nan_is_refused():
    with pytest.raises(ValueError, match="cannot quantise NaN to int8"):
        Int(8).quantise([0.0, np.nan])


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_names_parse_back(fmt):
    assert parse_format(str(fmt)) is fmt


@pytest.mark.parametrize(
    "name",
    [
        "",
        "dybit",
        "dybit1",
        "dybit9",
        "int16",
        "uint15",
        "int1",
        "int05",
        "float4",
        "DyBit4",
        " int4",
        "int4 ",
        "uuint4",
        "e1m2",
        "e4m1",
        "e2m6",
        "ue3m6",
        "e2m",
    ],
)
def test_an_unknown_name_is_refused(name):
    with pytest.raises(ValueError, match=r"unknown number format .*: use \[u\]dybitN \(N from 2 to 8\), \[u\]intN"):
        parse_format(name)


@pytest.mark.parametrize(("kind", "most"), [(DyBit, 8), (Int, 15)])
def test_bits_are_checked(kind, most):
    for bits in (1, most + 1):
        with pytest.raises(ValueError, match=f"bits must be 2 to {most}, not {bits}"):
            kind(bits)
    for bits in ("4", 4.5, True):
        with pytest.raises(TypeError, match="bits must be an int, not"):
            kind(bits)


def test_minifloats_of_other_widths_are_refused():
    with pytest.raises(ValueError, match="exponent bits must be 2 to 3, not 4"):
        Minifloat(4, 1)
    with pytest.raises(ValueError, match="mantissa bits must be 0 to 5, not 6"):
        Minifloat(2, 6)


@pytest.mark.parametrize(("level_max", "widths"), [(16, 3), (35, 3), (287, 5), (2303, 6), (18431, 8)])
def test_a_core_rounds_to_the_dybit_formats_whose_levels_it_can_write(level_max, widths):
    assert [rounding.number for rounding in roundings_of("dybit", level_max)] == list(range(1, widths + 1))


def test_roundings_are_named_by_formats():
    assert roundings_of("e2m1+ue3m1+dybit4", 287) == (Minifloat(2, 1).rounding, DyBit(4).rounding)
    for names, message in (
        ("e3m2", "e3m2 has levels to 448, the core writes levels to 287: set more planes"),
        ("dybit+int4", "every core rounds to integers, leave int4 out"),
        ("e2m1+", "unknown number format ''"),
    ):
        with pytest.raises(ValueError, match=message):
            roundings_of(names, 287)


def test_octaves_are_those_that_begin_below_the_top():
    assert Int(8).octaves == ()
    assert DyBit(4).octaves == ((4, 2), (8, 8))
    assert Minifloat(2, 1).octaves == ((4, 2), (8, 4))
    assert len(DyBit(8, False).octaves) == 7
