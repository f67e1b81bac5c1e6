import dataclasses
import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.config import PRESETS
from narrows.sw.quantize.train.rescaler import gains, narrow

CONFIG = dataclasses.replace(PRESETS["tiny"], rescale_bits=4)


@given(st.floats(2.0**-20, 3.4), st.sampled_from([2, 3, 4, 8, 16, 32]))
def test_multiplicand_and_shift_are_the_nearest_of_so_many_bits(gain, bits):
    (m,), (s,) = (part.tolist() for part in narrow(torch.tensor([gain], dtype=torch.float64), bits, 60))
    assert 1 << (bits - 1) <= m < 1 << bits
    exact = Fraction(m) / Fraction(2) ** s
    below, above = (Fraction(m + step) / Fraction(2) ** s for step in (-1, 1))
    error = abs(exact - Fraction(gain))
    assert error <= abs(below - Fraction(gain)) or m == 1 << (bits - 1)
    assert error <= abs(above - Fraction(gain))
    assert error <= Fraction(gain) / (2**bits + 1) + Fraction(gain) * Fraction(1, 2**52)


def test_rounding_up_to_a_power_of_two_moves_on_to_the_next_exponent():
    m, s = narrow(torch.tensor([31.9 / 32]).double(), 4, 60)
    assert (m.item(), s.item()) == (8, 3)


@pytest.mark.parametrize(("gain", "expected"), [(2.0**40, (15, 0)), (2.0**-90, (8, 24))])
def test_gains_beyond_the_rescaler_become_its_nearest(gain, expected):
    m, s = narrow(torch.tensor([gain]).double(), 4, 24)
    assert (m.item(), s.item()) == expected


class TestGains:
    UNIT = torch.tensor([0.013, 0.3, 0.9], dtype=torch.float64)
    SCALE = torch.tensor(0.7, dtype=torch.float64)

    def test_free_gains_are_real(self):
        gain = gains(self.UNIT, self.SCALE, CONFIG, "free")
        assert torch.equal(gain.real, self.UNIT / self.SCALE)
        assert torch.equal(gain.unit, self.UNIT)

    def test_narrow_gains_are_multiplicands_and_leave_weights_alone(self):
        gain = gains(self.UNIT, self.SCALE, CONFIG, "narrow")
        assert torch.equal(gain.real, gain.multiplicand / torch.exp2(gain.shift.double()))
        assert torch.equal(gain.unit, self.UNIT)
        torch.testing.assert_close(gain.real, self.UNIT / self.SCALE, rtol=1 / 17, atol=0)

    def test_absorbed_gains_move_the_scale_of_weights_so_that_nothing_is_lost(self):
        gain = gains(self.UNIT, self.SCALE, CONFIG, "absorbed")
        torch.testing.assert_close(gain.unit / self.SCALE, gain.real, rtol=1e-15, atol=0)

    @pytest.mark.parametrize("rescaling", ["narrow", "absorbed"])
    def test_gradients_are_those_of_real_gains(self, rescaling):
        unit, scale = self.UNIT.clone().requires_grad_(), self.SCALE.clone().requires_grad_()
        gains(unit, scale, CONFIG, rescaling).real.sum().backward()
        torch.testing.assert_close(unit.grad, torch.full((3,), 1 / 0.7).double())
        assert scale.grad is not None
        assert math.isclose(scale.grad, -self.UNIT.sum() / 0.49)
