"""Digits: every operand as a row of codes of the base format."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.digits import act_digits, base_digits, weight_digits
from narrows.hw.spec.formats import DyBit, Int, parse_format

D4 = base_digits("dybit4")
BASES = ("dybit4", "e2m1", "e3m0", "int4", "dybit3", "int3", "dybit2", "int2")


@pytest.mark.parametrize(
    ("base", "code_bits", "shift", "reach", "most"),
    [
        ("dybit4", 4, 3, 4, 5),
        ("e2m1", 4, 3, 4, 5),
        ("e3m0", 4, 2, 2, 8),
        ("int4", 4, 3, 7, 5),
        ("dybit3", 4, 2, 2, 8),
        ("int3", 4, 2, 3, 8),
        ("dybit2", 2, 1, 1, 15),
        ("int2", 2, 1, 1, 15),
    ],
)
def test_radix_and_reach_of_each_base(base, code_bits, shift, reach, most):
    digits = base_digits(base)
    assert (digits.code_bits, digits.shift, digits.reach, digits.most) == (code_bits, shift, reach, most)


@pytest.mark.parametrize("name", ["udybit4", "uint3", "dybit5", "int8"])
def test_a_base_is_signed_and_narrow(name):
    with pytest.raises(ValueError, match="a base format is signed and has 2 to 4 bits, not"):
        base_digits(name)


@pytest.mark.parametrize(
    ("base", "name", "planes"),
    [
        ("e2m1", "e2m1", 1),
        ("e2m1", "dybit3", 1),
        ("e2m1", "dybit4", 2),
        ("e2m1", "ue2m2", 2),
        ("e2m1", "int4", 2),
        ("e2m1", "int8", 3),
        ("dybit4", "e2m1", 2),
        ("int4", "e2m1", 2),
        ("int4", "int4", 1),
        ("int4", "uint4", 2),
        ("int4", "dybit4", 2),
        ("int4", "int8", 3),
        ("int4", "dybit8", 5),
        ("dybit2", "int2", 1),
        ("dybit2", "dybit2", 1),
        ("dybit2", "uint2", 3),
        ("dybit2", "int4", 4),
        ("dybit2", "dybit4", 5),
        ("dybit2", "int8", 8),
        ("dybit2", "dybit8", 13),
        ("dybit3", "int8", 4),
        ("int3", "int8", 4),
    ],
)
def test_planes_in_other_bases(base, name, planes):
    assert base_digits(base).of_format(parse_format(name)) == planes


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
    assert D4.of_format(parse_format(name)) == planes


@pytest.mark.parametrize(
    ("acts", "weights", "shift", "planes"),
    [
        ("int8", "dybit4", 6, {"int8": 1, "dybit4": 1, "uint8": 2, "dybit8": 2, "udybit8": 3}),
        ("int8", "dybit2", 7, {"int8": 1, "udybit8": 3}),
        ("int8", "int5", 4, {"int8": 1, "dybit8": 3}),
        ("dybit4", "dybit3", 2, {"dybit4": 1, "int4": 2, "int8": 4}),
        ("dybit4", "dybit2", 3, {"dybit4": 1, "int8": 3}),
        ("dybit2", "int4", 1, {"dybit2": 1, "int8": 8}),
    ],
)
def test_digits_of_activations_are_whole_steps_of_those_of_weights_apart(acts, weights, shift, planes):
    digits = act_digits(acts, weight_digits(weights))
    assert digits.shift == shift
    assert {name: digits.of_format(parse_format(name)) for name in planes} == planes
    levels = np.arange(-digits.span(3), digits.span(3) + 1, 7)
    assert (digits.from_planes(digits.to_planes(levels, 3)) == levels).all()


def test_a_byte_of_an_activation_has_all_256_levels():
    base = act_digits("int8", weight_digits("int4")).base
    assert base.levels.tolist() == list(range(-128, 128))
    assert sorted(base.decode(np.arange(256)).tolist()) == list(range(-128, 128))
    assert (base.decode(base.encode(base.levels)) == base.levels).all()
    assert (base.encode(-128), base.bottom, base.top) == (0x80, -128, 127)
    with pytest.raises(ValueError, match="128 is not a level"):
        base.encode([128])
    with pytest.raises(ValueError, match="-129 is not a level"):
        base.encode([-129])


@pytest.mark.parametrize("base", BASES)
def test_the_span_is_the_last_level_whose_top_digit_is_within_reach(base):
    digits = base_digits(base)
    for planes in range(2, digits.most + 1):
        radix = 1 << digits.shift
        weight = radix ** (planes - 1)
        span = digits.span(planes)
        assert (span + weight // 2) // weight == digits.reach
        assert (span + 1 + weight // 2) // weight == digits.reach + 1


def test_spans_of_dybit4():
    assert [D4.span(planes) for planes in range(1, 6)] == [4, 35, 287, 2303, 18431]


@given(st.sampled_from(BASES), st.data())
def test_planes_give_the_level_back(base, data):
    digits = base_digits(base)
    planes = data.draw(st.integers(1, digits.most))
    if planes == 1:
        level = data.draw(st.sampled_from(digits.base.levels.tolist()))
    else:
        span = digits.span(planes)
        level = data.draw(st.integers(-span, span))
    codes = digits.to_planes([level], planes)
    assert (codes.shape, codes.dtype) == ((planes, 1), np.uint8)
    assert digits.from_planes(codes).tolist() == [level]
    if planes > 1:
        got = np.abs(digits.base.decode(codes))
        assert got[-1] <= digits.reach
        assert got[:-1].max() <= 1 << digits.shift >> 1


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
    assert D4.base.decode(D4.to_planes(level, planes)).tolist() == digits


@given(st.integers(-287, 287), st.integers(-287, 287))
def test_digits_compare_like_their_levels_from_the_most_significant(first, second):
    def digits(level):
        return D4.base.decode(D4.to_planes(level, 3))[::-1].tolist()

    assert (digits(first) < digits(second)) == (first < second)


def test_shapes_are_kept():
    levels = np.arange(-12, 12).reshape(2, 3, 4)
    codes = D4.to_planes(levels, 2)
    assert codes.shape == (2, 2, 3, 4)
    np.testing.assert_array_equal(D4.from_planes(codes), levels)


@pytest.mark.parametrize("base", BASES)
def test_a_level_beyond_the_span_is_refused(base):
    digits = base_digits(base)
    for planes in range(2, digits.most + 1):
        level = digits.span(planes) + 1
        for value in (level, -level):
            with pytest.raises(ValueError, match=f"level {level} does not fit {planes} digits of {base}"):
                digits.to_planes([value], planes)


def test_a_level_that_is_not_of_the_base_does_not_fit_one_plane():
    with pytest.raises(ValueError, match="5 is not a level of dybit4"):
        D4.to_planes([5], 1)


def test_the_fewest_planes_are_counted():
    assert D4.count([16, -8, 6]) == 1
    assert D4.count([5]) == 2
    assert D4.count([D4.span(2)]) == 2
    assert D4.count([D4.span(2) + 1]) == 3
    assert D4.count([]) == 1
    with pytest.raises(ValueError, match=r"level \d+ needs more than 15 digits"):
        D4.count([D4.span(15) + 1])


@pytest.mark.parametrize("base", BASES)
def test_every_format_fits_its_planes(base):
    digits = base_digits(base)
    for fmt in (
        DyBit(8),
        DyBit(8, signed=False),
        Int(8),
        Int(8, signed=False),
        DyBit(4, signed=False),
        DyBit(4),
        Int(4),
    ):
        np.testing.assert_array_equal(
            digits.from_planes(digits.to_planes(fmt.levels, digits.of_format(fmt))), fmt.levels
        )


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("levels", [[13, 20, 40, -23], [0], [64, -128, 8], [100, 0, -77], list(range(-36, 37))])
def test_codes_of_weights_add_up_to_them_in_no_more_planes_than_their_digits(base, levels):
    digits = base_digits(base)
    codes = digits.fewest_codes(np.reshape(levels, (-1, 1)))
    np.testing.assert_array_equal(digits.from_planes(codes)[:, 0], levels)
    ordinary = digits.to_planes(levels, digits.count(levels))
    assert sum(plane.any() for plane in codes) <= sum(plane.any() for plane in ordinary)


def test_two_codes_hold_what_takes_three_digits():
    assert D4.count([13, 40]) == 3
    assert D4.fewest_codes([13, 40]).shape == (2, 2)
    assert set(range(-36, 37)) <= set(D4.code_sums(2).tolist())
    assert 37 not in D4.code_sums(2) and 144 in D4.code_sums(2)


def test_a_plane_that_all_weights_can_do_without_stays_zero():
    codes = D4.fewest_codes([8, 32, -64])
    assert not codes[0].any() and codes[1].all() and len(codes) == 2
