"""Formats: level tables, codes, and rounding to the nearest level."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.formats import MAX_BITS, MAX_INT_BITS, MIN_BITS, DyBit, Int, parse_format

FORMATS = [
    kind(bits, signed) for kind in (DyBit, Int) for bits in range(MIN_BITS, MAX_BITS + 1) for signed in (True, False)
] + [Int(bits, signed) for bits in (12, MAX_INT_BITS - 1) for signed in (True, False)]
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
        (Int(4), list(range(8))),
        (Int(4, signed=False), list(range(16))),
        (Int(8), list(range(128))),
        (Int(8, signed=False), list(range(256))),
    ],
    ids=str,
)
def test_magnitudes_are_those_of_the_published_table(fmt, levels):
    assert list(fmt.magnitudes) == levels


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
    ],
)
def test_an_unknown_name_is_refused(name):
    with pytest.raises(ValueError, match=r"unknown number format .*: use \[u\]dybitN \(N from 2 to 8\) or \[u\]intN"):
        parse_format(name)


@pytest.mark.parametrize(("kind", "most"), [(DyBit, 8), (Int, 15)])
def test_bits_are_checked(kind, most):
    for bits in (1, most + 1):
        with pytest.raises(ValueError, match=f"bits must be 2 to {most}, not {bits}"):
            kind(bits)
    for bits in ("4", 4.5, True):
        with pytest.raises(TypeError, match="bits must be an int, not"):
            kind(bits)
