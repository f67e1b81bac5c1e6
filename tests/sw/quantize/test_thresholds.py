"""Rescalers for trained grids: checked on every sum, by the rescaler's own semantics."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Int
from narrows.hw.spec.semantics import rescale
from narrows.sw.quantize.thresholds import Line, Rescaling, fit_gain, fit_sign, fit_steps


def line(gain, offset, low, high, every=1):
    gain, offset = np.atleast_1d(np.asarray(gain, float)), np.atleast_1d(np.asarray(offset, float))
    low, high = (np.full(len(gain), value) for value in (low, high))
    return Line(gain, offset, low, high, np.zeros(len(gain)), np.full(len(gain), float(high[0] - low[0])), every)


def outputs(found: Rescaling, of: Line, zero, low, high):
    """Levels for every sum from low to high, shape (O, sums)."""
    sums = np.arange(of.low[0], of.high[0] + 1) * of.every
    acc = np.broadcast_to(sums[:, np.newaxis], (len(sums), len(of.gain)))
    args = {"zero": zero, "fmt": Int(9), "low": low, "high": high}
    return rescale(acc, found.bias, found.multiplicand, found.shift, **args).T


def wanted(of: Line, low, high):
    sums = np.arange(of.low[0], of.high[0] + 1)
    return np.clip(np.rint(of.gain[:, np.newaxis] * sums + of.offset[:, np.newaxis]), low, high)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    bits=st.sampled_from([3, 4, 8, 16, 32]),
    levels=st.sampled_from([(-4, 3), (0, 15), (-1, 1), (0, 255), (5, 5)]),
    every=st.sampled_from([1, 2, 8]),
)
def test_wrong_sums_are_counted(seed, bits, levels, every):
    rng = np.random.default_rng(seed)
    config = AcceleratorConfig(acc_bits=20, rescale_bits=bits)
    low = int(rng.integers(-400, 1))
    of = line(rng.uniform(0.001, 0.5, 6), rng.uniform(-300, 300, 6), low, low + 700, every)
    zero = int(rng.integers(levels[0], levels[1] + 1))
    found = fit_steps(of, zero, levels, config)
    away = np.abs(outputs(found, of, zero, *levels) - wanted(of, *levels))
    np.testing.assert_array_equal(away.sum(axis=1), found.wrong, err_msg=f"seed {seed}")


def test_wide_rescalers_and_fine_sums_are_right_for_every_sum():
    rng = np.random.default_rng(5)
    config = AcceleratorConfig(acc_bits=20, rescale_bits=16)
    of = line(rng.uniform(0.005, 0.02, 40), rng.uniform(-4, 4, 40), -500, 500, every=4)
    assert not fit_steps(of, -4, (-4, 3), config).wrong.any()
    assert fit_steps(dataclasses.replace(of, every=1), -4, (-4, 3), config).wrong.any()


@pytest.mark.parametrize("mean", [-1200, 0, 1200])
def test_narrow_multiplicands_err_where_sums_are_rare(mean):
    config = AcceleratorConfig(acc_bits=20, rescale_bits=3)
    plain = line([0.0567], [0.0], -2000, 2000)
    of = dataclasses.replace(plain, mean=np.array([float(mean)]), spread=np.array([20.0]))
    found = fit_steps(of, 0, (-100, 100), config)
    wrong = (outputs(found, of, 0, -100, 100) != wanted(of, -100, 100))[0]
    sums = np.arange(-2000, 2001)
    assert wrong.mean() > 0.5
    assert wrong[np.abs(sums - mean) < 20].mean() < 0.2


def test_ties_go_to_the_even_integer_of_the_grid():
    config = AcceleratorConfig(acc_bits=16, rescale_bits=8)
    of = line([0.25], [0.0], -1, 3)  # the only tie is 2 * 0.25
    assert outputs(fit_steps(of, 0, (0, 1), config), of, 0, 0, 1).tolist() == [[0, 0, 0, 0, 1]]
    assert outputs(fit_steps(of, 0, (0, 1), config, moved=1), of, 0, 0, 1).tolist() == [[0, 0, 0, 1, 1]]


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), bits=st.sampled_from([2, 4, 16]))
def test_signs_are_right_for_every_sum(seed, bits):
    rng = np.random.default_rng(seed)
    config = AcceleratorConfig(acc_bits=16, rescale_bits=bits)
    gain = np.where(rng.random(8) < 0.1, 0.0, rng.uniform(0.01, 3, 8))
    of = line(gain, rng.uniform(-600, 600, 8), -300, 300, every=2)
    found = fit_sign(of, config)
    assert not found.wrong.any()
    sums = np.arange(-300, 301)
    expected = np.where(of.gain[:, np.newaxis] * sums + of.offset[:, np.newaxis] >= 0, 1, -1)
    np.testing.assert_array_equal(outputs(found, of, 0, -1, 1), expected, err_msg=f"seed {seed}")


def test_signs_need_even_sums():
    with pytest.raises(ValueError, match="sums that are multiples of 3 may be odd"):
        fit_sign(line([1.0], [0.0], -5, 5, every=3), AcceleratorConfig())


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_gains_are_met_as_closely_as_the_multiplicand_can(bits):
    gains = np.geomspace(1e-4, 0.9, 50)
    found = fit_gain(line(gains, np.zeros(50), -10, 10), 0, AcceleratorConfig(acc_bits=20, rescale_bits=bits))
    assert np.abs(found.multiplicand / 2.0**found.shift / gains - 1).max() <= 1 / (2**bits + 1)


def test_a_bias_that_does_not_fit_is_the_nearest_that_does():
    config = AcceleratorConfig(acc_bits=12, rescale_bits=8, bias_bits=8)
    of = line([0.01], [50.0], -100, 100)
    found = fit_steps(of, 0, (0, 100), config)
    assert found.bias.tolist() == [127]
    assert found.wrong[0] > 0
