"""First sums of levels, against the arithmetic itself on every sum."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from narrows.sw.grids import Grid, Rounding
from narrows.sw.quantize.steps import first_sums


def rounded_twice(total: int, gain: float, count: int = 1) -> int:
    """What TFLite's reference kernels make of a total: a product of 31 bits to an integer, then a power of two."""
    fraction, exponent = np.frexp(gain)
    power = count.bit_length() - 1
    multiplicand, exponent = (int(np.rint(fraction * 2**31)) << power) // count, int(exponent) - power
    left, right = max(exponent, 0), max(-exponent, 0)
    high = (total * 2**left * multiplicand + 2**30) >> 31
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def levels_by(first, sums, level):
    return level[0] - 1 + (sums[:, np.newaxis] >= first[0]).sum(axis=1)


@settings(max_examples=80)
@given(gain=st.floats(2e-3, 3.0), bias=st.integers(-900, 900), zero=st.integers(-128, 127), moved=st.integers(0, 128))
def test_sums_that_are_rounded_twice(gain, bias, zero, moved):
    sums, level = np.arange(-700, 700), np.arange(-90, 91) + zero
    first = first_sums(np.array([gain]), np.array([gain * bias + zero]), level, zero, Rounding.TWICE, moved)
    expected = [rounded_twice(int(s) + bias, gain) + zero for s in sums]
    np.testing.assert_array_equal(levels_by(first, sums, level), np.clip(expected, level[0] - 1, level[-1]))


@settings(max_examples=60)
@example(ratio=1.0, zeros=(0, 0), count=49)  # 49 times the double nearest to 1/49 is just below 1
@given(ratio=st.floats(0.4, 2.5), zeros=st.tuples(*[st.integers(-128, 127)] * 2), count=st.integers(1, 90))
def test_means(ratio, zeros, count):
    sums, level = np.arange(-128 * count, 128 * count, max(1, count // 8)), np.arange(-126, 128)
    gain, bias = ratio / count, -zeros[0] * count
    first = first_sums(np.array([gain]), np.array([gain * bias + zeros[1]]), level, zeros[1], Rounding.MEAN, 0, count)
    expected = [rounded_twice(int(s) + bias, ratio, count) + zeros[1] for s in sums]
    np.testing.assert_array_equal(levels_by(first, sums, level), np.clip(expected, level[0] - 1, level[-1]))


def test_rounding_twice_is_not_rounding_once():
    of = np.array([0.011]), np.array([0.0]), np.arange(-50, 51), 0
    once, twice = (first_sums(*of, rounding, 0) for rounding in (Rounding.AWAY, Rounding.TWICE))
    assert (twice[0, 51:] <= once[0, 51:]).all() and (twice[0, 51:] < once[0, 51:]).any()
    assert (twice[0, :51] >= once[0, :51]).all() and (twice[0, :51] > once[0, :51]).any()


def test_a_large_bias_is_an_integer_as_far_as_its_scale_tells():
    gain, bias, level = 0.00043004866585243546, 54448, np.arange(-127, 128) + 128  # a channel of a wake word
    offset = gain * bias * (1 + 2.0**-24)
    rounded, plain = (
        first_sums(np.array([gain]), np.array([each]), level, 0, Rounding.TWICE, 128) for each in (offset, gain * bias)
    )
    np.testing.assert_array_equal(rounded, plain)
    assert rounded[0, level.tolist().index(18)] == 40693 - bias


def test_a_bias_that_is_no_integer_is_rounded_once():
    of = np.array([0.011]), np.array([0.011 * 0.5]), np.arange(-50, 51), 0
    np.testing.assert_array_equal(first_sums(*of, Rounding.TWICE, 0), first_sums(*of, Rounding.AWAY, 0))


@pytest.mark.parametrize("rounding", [Rounding.EVEN, Rounding.AWAY, Rounding.CODE_AWAY])
@pytest.mark.parametrize(("zero", "moved"), [(0, 0), (131, 128), (-3, 0), (5, 7)])
def test_ties_go_where_the_grid_rounds_them(rounding, zero, moved):
    grid = Grid(scale=1.0, zero=zero - moved, low=-60 - moved + zero, high=60 - moved + zero, rounding=rounding)
    sums, level = np.arange(-200, 200), np.arange(-59, 61) + zero
    first = first_sums(np.array([0.25]), np.array([float(zero)]), level, zero, rounding, moved)
    np.testing.assert_array_equal(levels_by(first, sums, level), grid.integers(0.25 * sums) + moved)


def test_ties_up():
    sums, level = np.arange(-40, 41), np.arange(-9, 10)
    first = first_sums(np.array([0.25]), np.array([0.0]), level, 0, Rounding.UP, 0)
    expected = Grid(scale=1.0, zero=0, low=-10, high=9, rounding=Rounding.UP).integers(sums * 0.25)
    np.testing.assert_array_equal(levels_by(first, sums, level), expected)
