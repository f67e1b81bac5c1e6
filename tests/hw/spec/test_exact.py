"""Layers in floating point against the definitions in integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narrows.hw.spec import exact
from narrows.hw.spec.exact import Drain, ExactLayer, ExactSource, exact_sums, largest_sums
from narrows.hw.spec.formats import DyBit, Int
from narrows.hw.spec.semantics import accumulate, rescale
from narrows.hw.spec.tables import TABLE_TOP, look_up
from segments import Window, convolutions


def channels_first(levels):
    return levels.transpose(1, 0, 2, 3).astype(np.float32)


def source_of(levels, zero):
    return ExactSource((min(int(levels.min()), zero, 0), max(int(levels.max()), zero, 0)), zero)


@settings(max_examples=150)
@given(convolutions(), st.sampled_from((1, 40, 1 << 20)), st.sampled_from((1, 40, 1 << 20)))
def test_sums_are_those_of_the_definition(case, chunk, block):
    levels, zero, window = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_CHUNK_VALUES", chunk)
        patch.setattr(exact, "_BLOCK_VALUES", block)
        sums = exact_sums([window], [source_of(levels, zero)], [channels_first(levels)])
    assert sums.dtype == np.float32
    np.testing.assert_array_equal(sums.transpose(1, 0, 2, 3), accumulate(levels, zero, window))


def drained(case, drain):
    """Levels of a layer, and what the definitions make of its sums with Python's integers."""
    levels, zero, window = case
    sources = [source_of(levels, zero)] * 2
    layer = ExactLayer([window, window], sources, drain(largest_sums([window, window], sources)))
    result = layer.run([channels_first(levels)] * 2)
    assert result.dtype == np.float32
    return result.transpose(1, 0, 2, 3), 2 * accumulate(levels, zero, window)


@settings(max_examples=150)
@given(convolutions(), st.data())
def test_levels_are_those_of_the_definition(case, data):
    outputs, fmt = len(case[2].weights), data.draw(st.sampled_from((DyBit(4), Int(4), Int(8), DyBit(6, signed=False))))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    # From products that float32 holds to some that only 64 bits of integer do.
    bias_bits, rescale_bits = data.draw(st.sampled_from(((4, 4), (12, 8), (24, 16), (30, 29))))
    bias = rng.integers(-(1 << bias_bits), 1 << bias_bits, outputs)
    multiplicand = rng.integers(1 << (rescale_bits - 1), 1 << rescale_bits, outputs)
    shift = rng.integers(0, bias_bits + rescale_bits, outputs)
    low, high = np.sort(rng.choice(fmt.levels, 2)).tolist()
    zero = int(rng.choice(fmt.levels))
    table = np.sort(rng.integers(-100, 100, 2 * TABLE_TOP + 1)) if data.draw(st.booleans()) else None
    clamp = {"zero": zero, "low": low, "high": high}
    parameters = bias, multiplicand, shift
    result, sums = drained(case, lambda largest: Drain(largest, *parameters, fmt=fmt, table=table, **clamp))
    expected = rescale(sums, *parameters, fmt=fmt if table is None else Int(8), **clamp)
    np.testing.assert_array_equal(result, expected if table is None else look_up(table, expected))


@pytest.mark.parametrize(
    ("steps", "dtype"),
    [((1 << 24) - 1, np.float32), (1 << 24, np.float64), ((1 << 53) - 1, np.float64), (1 << 53, None)],
)
def test_products_are_taken_in_the_narrowest_type_that_is_exact(steps, dtype):
    halves = 2 * 31  # from the lowest level to 0
    drain = Drain(np.array([1.0]), [steps - halves - 1], [1], [1], zero=0, fmt=Int(6), low=-31, high=31)
    assert drain.dtype is dtype


@pytest.mark.parametrize("largest", [(1 << 24) - 1, (1 << 24) + 1, (1 << 53) - 1])
def test_the_largest_sums_keep_their_last_bit(largest):
    """An odd sum next to the end of a mantissa: a type too narrow would round it."""
    weights = np.array([largest // 3, largest - 2 * (largest // 3) - 1, largest // 3, 1]).reshape(1, 4, 1, 1)
    sums = exact_sums([Window(weights)], [ExactSource((-1, 1), 0)], [np.ones((4, 1, 1, 1), np.float32)])
    assert int(sums.item()) == largest
    assert sums.dtype == (np.float32 if largest < 1 << 24 else np.float64)


def test_sums_that_cannot_be_exact_are_refused():
    window = Window(np.full((1, 1, 1, 1), 1 << 30))
    with pytest.raises(ValueError, match="cannot be computed exactly"):
        exact_sums([window], [ExactSource((0, 1 << 23), 0)], [np.ones((1, 1, 1, 1), np.float32)])


def test_channels_and_sizes_must_match():
    x, source = np.zeros((2, 1, 3, 3), np.float32), ExactSource((0, 1), 0)
    with pytest.raises(ValueError, match="the segment's weights are for 3 channels, its source has 2"):
        exact_sums([Window(np.ones((1, 3, 1, 1)))], [source], [x])
    pair = [Window(np.ones((1, 2, 1, 1))), Window(np.ones((1, 2, 2, 2)))]
    with pytest.raises(ValueError, match="outputs of different sizes"):
        exact_sums(pair, [source] * 2, [x] * 2)
