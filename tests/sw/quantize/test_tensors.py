"""Formats, scales and zero levels of tensors."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from narrows.hw.spec.formats import DyBit, Int, parse_format
from narrows.sw.quantize.tensors import choose, describe, exact_integers, exact_steps


def error(values, choice):
    levels = choice.format.quantise(values / choice.scale + choice.zero)
    if values.min() >= 0:
        levels = np.maximum(levels, choice.zero)
    return np.square((levels - choice.zero) * choice.scale - values).mean()


@pytest.mark.parametrize("name", ["dybit4", "udybit4", "int4", "uint4", "dybit2", "int8", "dybit8", "uint8"])
@pytest.mark.parametrize("rectified", [False, True])
def test_reported_error_is_that_of_quantising(name, rectified):
    values = np.random.default_rng(3).normal(size=5000)
    values = np.maximum(values, 0) if rectified else values
    choice = choose(values, parse_format(name))
    assert choice.error == pytest.approx(error(values, choice), rel=1e-9)


def test_rectified_values_use_negative_levels_below_a_zero_level():
    values = np.maximum(np.random.default_rng(4).normal(size=5000), 0)
    choice = choose(values, DyBit(4))
    assert choice.zero < 0
    assert choice.error < 0.5 * min(
        choose(np.append(values, -1e-3), Int(3)).error, error(values, choose(values, Int(3)))
    )


def test_integers_use_the_whole_range_for_rectified_values():
    values = np.random.default_rng(4).uniform(0, 1, 5000)
    assert choose(values, Int(4)).zero == -7


def test_wide_formats_map_the_maximum_far_below_the_top():
    values = np.random.default_rng(5).normal(size=5000)
    choice = choose(values, DyBit(8))
    assert np.abs(values).max() / choice.scale < DyBit(8).top / 4


def test_all_zero_values_have_a_scale():
    assert choose(np.zeros(9), DyBit(4)).scale == 1.0


@given(st.integers(-127, 127), st.integers(-127, 127), st.integers(0, 2**32))
def test_small_integers_have_an_exact_format(a, b, seed):
    low, high = sorted((a, b))
    values = np.random.default_rng(seed).integers(low, high, 20, endpoint=True)
    fmt = exact_integers(values)
    assert fmt is not None
    assert fmt == Int(fmt.bits, signed=fmt.signed)
    np.testing.assert_array_equal(fmt.quantise(values), values)
    if fmt.bits > 2:
        narrower = Int(fmt.bits - 1, signed=fmt.signed)
        assert (narrower.quantise(values) != values).any()


def test_clamp_consists_of_levels():
    choice = choose(np.random.default_rng(6).uniform(0, 6, 1000), DyBit(4))
    tensor = describe("t", (1, 1, 1), choice, 0.0, 3.0)
    assert tensor.low == tensor.zero
    assert tensor.high == choice.format.quantise(3.0 / choice.scale + choice.zero)


def test_few_or_uneven_values_have_no_common_steps() -> None:
    assert exact_steps(np.array([0.0, 0.5, 1.0])) is None
    assert exact_steps(np.random.default_rng(7).normal(size=4000)) is None
    assert exact_steps((np.arange(-150, 150)) * 0.25) is None  # more than 8 bits
    assert exact_steps((np.arange(0, 200) + 0.4) * 0.25) is None  # no step leads to 0


@given(st.floats(-1e6, 1e6, width=32), st.integers(1, 1000), st.sampled_from(["dybit4", "e2m1", "int8", "uint8"]))
@example(0.3645724058151245, 1000, "int8")
@example(-0.16290995478630066, 1, "int8")
def test_a_tensor_of_one_value_has_a_scale(value, count, name):
    choice = choose(np.full(count, value), parse_format(name))
    assert choice.error >= 0
    if value > 0 or parse_format(name).bottom < 0:
        assert error(np.full(3, value), choice) <= 1e-12 * value**2
