"""Certificates: bounds are reached and never passed; widths are the narrowest."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.certificate import final_sum_bounds, product_sum_bounds, signed_bits

small = st.integers(-16, 16)


@given(st.lists(st.lists(small, min_size=3, max_size=3), min_size=1, max_size=3), st.integers(-8, 0), st.integers(0, 8))
def test_bounds_are_the_extremes_over_all_inputs(weights, low, high):
    lowest, highest = final_sum_bounds([(weights, (low, high))])
    for channel, row in enumerate(weights):
        sums = [
            sum(w * x for w, x in zip(row, inputs, strict=True)) for inputs in itertools.product((low, high), repeat=3)
        ]
        assert (lowest[channel], highest[channel]) == (min(sums), max(sums))


@given(st.integers(-4, 0), st.integers(0, 4), st.integers(-4, 0), st.integers(0, 4), st.data())
def test_bounds_of_products_are_the_extremes_over_all_levels(x_low, x_high, w_low, w_high, data):
    x_zero, w_zero = data.draw(st.integers(x_low, x_high)), data.draw(st.integers(w_low, w_high))
    products = [x * w - x_zero * w - w_zero * x for x in range(x_low, x_high + 1) for w in range(w_low, w_high + 1)]
    bounds = product_sum_bounds((x_low, x_high), x_zero, (w_low, w_high), w_zero, 3)
    assert bounds == (3 * min(products), 3 * max(products))


def test_terms_add_up():
    first, second = (np.array([[1, -2], [3, 0]]), (-4, 16)), (np.array([[5], [-1]]), (0, 7))
    low, high = final_sum_bounds([first, second])
    assert (low.tolist(), high.tolist()) == ([-4 - 32, -12 - 7], [16 + 8 + 35, 48])


def test_weights_may_have_any_shape():
    weights = np.arange(-12, 12).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(final_sum_bounds([(weights, (-1, 1))])[1], np.abs(weights).reshape(2, -1).sum(axis=1))


@pytest.mark.parametrize("span", [(1, 4), (-4, -1)])
def test_a_span_without_zero_is_refused(span):
    with pytest.raises(ValueError, match="a span must hold 0"):
        final_sum_bounds([([[1]], span)])


@given(st.integers(-(1 << 40), 1 << 40), st.integers(-(1 << 40), 1 << 40))
def test_the_width_is_the_narrowest(low, high):
    bits = signed_bits(low, high)

    def fits(width):
        return all(-(1 << (width - 1)) <= value < 1 << (width - 1) for value in (low, high))

    assert fits(bits)
    assert bits == 1 or not fits(bits - 1)


def test_some_widths():
    assert signed_bits(0, 0) == 1
    assert signed_bits(-1, 0) == 1
    assert signed_bits(-128, 127) == 8
    assert signed_bits([-128, 0], [128, 5]) == 9
