"""Digit planes: every operand as radix-8 digits that are native codes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.digits import MAX_PLANES, NATIVE, digit_count, digit_span, format_planes, from_planes, to_planes
from narrows.hw.spec.formats import DyBit, Int, parse_format


@pytest.mark.parametrize(
    ("name", "planes"),
    [
        ("dybit4", 1),
        ("dybit3", 1),
        ("dybit2", 1),
        ("int3", 1),
        ("int2", 1),
        ("uint2", 1),
        ("udybit2", 1),
        ("udybit3", 1),
        ("int4", 2),
        ("uint4", 2),
        ("int5", 2),
        ("int6", 2),
        ("uint5", 2),
        ("uint3", 2),
        ("int7", 3),
        ("int8", 3),
        ("uint6", 3),
        ("uint7", 3),
        ("uint8", 3),
        ("udybit4", 3),
        ("dybit5", 3),
        ("dybit8", 5),
        ("udybit8", 5),
    ],
)
def test_planes_of_each_format(name, planes):
    assert format_planes(parse_format(name)) == planes


@pytest.mark.parametrize("planes", range(2, MAX_PLANES + 1))
def test_the_span_is_the_last_level_whose_digits_are_all_within_4(planes):
    def top_digit(level):
        return (level + (8 ** (planes - 1) >> 1)) >> (3 * (planes - 1))

    span = digit_span(planes)
    assert top_digit(span) == 4
    assert top_digit(span + 1) == 5


@given(st.integers(1, MAX_PLANES), st.data())
def test_planes_give_the_level_back(planes, data):
    if planes == 1:
        level = data.draw(st.sampled_from(NATIVE.levels.tolist()))
    else:
        span = digit_span(planes)
        level = data.draw(st.integers(-span, span))
    codes = to_planes([level], planes)
    assert (codes.shape, codes.dtype) == ((planes, 1), np.uint8)
    assert from_planes(codes).tolist() == [level]
    if planes > 1:
        assert np.abs(NATIVE.decode(codes)).max() <= 4


@pytest.mark.parametrize(
    ("level", "planes", "digits"),
    [
        (16, 1, [16]),
        (5, 2, [-3, 1]),
        (-5, 2, [3, -1]),
        (4, 2, [-4, 1]),
        (35, 2, [3, 4]),
        (127, 3, [-1, 0, 2]),
        (-127, 3, [1, 0, -2]),
        (64, 3, [0, 0, 1]),
        (4096, 5, [0, 0, 0, 0, 1]),
    ],
)
def test_digits_of_some_levels(level, planes, digits):
    assert NATIVE.decode(to_planes(level, planes)).tolist() == digits


@given(st.integers(-287, 287), st.integers(-287, 287))
def test_digits_compare_like_their_levels_from_the_most_significant(first, second):
    def digits(level):
        return NATIVE.decode(to_planes(level, 3))[::-1].tolist()

    assert (digits(first) < digits(second)) == (first < second)


def test_shapes_are_kept():
    levels = np.arange(-12, 12).reshape(2, 3, 4)
    codes = to_planes(levels, 2)
    assert codes.shape == (2, 2, 3, 4)
    np.testing.assert_array_equal(from_planes(codes), levels)


@pytest.mark.parametrize("planes", range(2, MAX_PLANES + 1))
def test_a_level_beyond_the_span_is_refused(planes):
    level = digit_span(planes) + 1
    for value in (level, -level):
        with pytest.raises(ValueError, match=f"level {level} does not fit {planes} digits"):
            to_planes([value], planes)


def test_a_level_that_is_not_native_does_not_fit_one_plane():
    with pytest.raises(ValueError, match="5 is not a level of dybit4"):
        to_planes([5], 1)


def test_the_fewest_planes_are_counted():
    assert digit_count([16, -8, 6]) == 1
    assert digit_count([5]) == 2
    assert digit_count([digit_span(2)]) == 2
    assert digit_count([digit_span(2) + 1]) == 3
    assert digit_count([]) == 1
    with pytest.raises(ValueError, match=r"level \d+ needs more than 5 digits"):
        digit_count([digit_span(5) + 1])


def test_every_format_fits_its_planes():
    for fmt in (DyBit(8), DyBit(8, signed=False), Int(8), Int(8, signed=False), DyBit(4, signed=False)):
        np.testing.assert_array_equal(from_planes(to_planes(fmt.levels, format_planes(fmt))), fmt.levels)
