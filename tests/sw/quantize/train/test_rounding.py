import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.formats import DyBit, Int, Minifloat
from narrows.sw.quantize.train.rounding import nearest, straight_through, toward_zero

FORMATS = [fmt(bits, signed) for fmt in (DyBit, Int) for bits in range(2, 9) for signed in (True, False)]
FORMATS += [Minifloat(*bits, signed) for bits in ((2, 1), (2, 2), (3, 0), (3, 4)) for signed in (True, False)]


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
class TestRounding:
    def test_levels_and_all_ties_are_rounded_as_the_format_rounds_them(self, fmt):
        middles = (fmt.levels[1:] + fmt.levels[:-1]) / 2
        x = np.concatenate([fmt.levels, middles, np.nextafter(middles, -np.inf), np.nextafter(middles, np.inf)])
        x = np.concatenate([x, [-1e30, -fmt.top - 0.5, fmt.top + 0.5, 1e30]])
        np.testing.assert_array_equal(nearest(torch.tensor(x), fmt).numpy(), fmt.quantise(x))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_random_values_are_rounded_as_the_format_rounds_them(self, fmt, dtype):
        x = torch.tensor(np.random.default_rng(1).normal(0, fmt.top / 2, 4000), dtype=dtype)
        np.testing.assert_array_equal(nearest(x, fmt).numpy(), fmt.quantise(x.double().numpy()))

    def test_toward_zero_is_the_largest_magnitude_not_above(self, fmt):
        x = np.concatenate([np.random.default_rng(2).normal(0, fmt.top / 2, 2000), fmt.levels, fmt.levels + 0.25])
        magnitudes = np.array(fmt.magnitudes)
        expected = magnitudes[np.searchsorted(magnitudes, np.abs(x), side="right") - 1] * np.sign(x)
        expected = np.clip(expected, fmt.bottom, fmt.top)
        np.testing.assert_array_equal(toward_zero(torch.tensor(x), fmt).numpy(), expected)


@given(st.floats(-1e9, 1e9, width=32), st.floats(-1e9, 1e9, width=32))
def test_straight_through_has_exactly_the_first_value_and_the_second_gradient(hard, soft):
    value = torch.tensor(soft, requires_grad=True)
    result = straight_through(torch.tensor(hard), value * 3)
    result.backward()
    assert result.item() == hard
    assert value.grad is not None and value.grad.item() == 3
