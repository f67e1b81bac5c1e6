import numpy as np
import pytest
import torch
from narrows.hw.spec.formats import DyBit, Int
from narrows.hw.spec.semantics import rescale
from narrows.sw.quantize.train.kernels import RoundTo, round_exactly, round_sums


def rounding(fmt):
    return RoundTo(octaves=fmt.octaves, bottom=fmt.bottom, top=fmt.top)


def drawn(fmt, seed, bits):
    rng = np.random.default_rng(seed)
    channels = 5
    sums = rng.integers(-(1 << bits - 1), 1 << bits - 1, (3, channels, 4, 4))
    bias = rng.integers(-(1 << bits - 2), 1 << bits - 2, channels)
    k = int(rng.integers(2, 7))
    multiplicand = rng.integers(1 << k - 1, 1 << k, channels)
    shift = rng.integers(max(0, bits + k - 8), bits + k, channels)
    low, zero, high = np.sort(rng.choice(fmt.levels, 3))
    return sums, bias, multiplicand, shift, int(zero), int(low), int(high)


@pytest.mark.parametrize("fmt", [DyBit(4), DyBit(4, False), Int(4), Int(8), DyBit(2), DyBit(8), Int(4, False)], ids=str)
@pytest.mark.parametrize("seed", range(12))
class TestOneRounding:
    def test_float32_rounds_as_the_machine_does(self, fmt, seed):
        sums, bias, m, s, zero, low, high = drawn(fmt, seed, 14)
        expected = rescale(sums, bias, m, s, zero=zero, fmt=fmt, low=low, high=high) - zero
        gain = torch.tensor(m).double() * torch.exp2(-torch.tensor(s).double())
        middle, least, most = (torch.tensor(float(level)) for level in (zero, low, high))
        tensors = torch.tensor(sums).float(), torch.tensor(bias).double(), gain
        result = round_sums(*tensors, middle, least, most, rounding(fmt))
        np.testing.assert_array_equal(result.numpy(), expected)

    def test_int64_rounds_as_the_machine_does_at_any_width(self, fmt, seed):
        sums, bias, m, s, zero, low, high = drawn(fmt, seed, 40)
        expected = rescale(sums, bias, m, s, zero=zero, fmt=fmt, low=low, high=high) - zero
        tensors = torch.tensor(sums), torch.tensor(bias), torch.tensor(m), torch.tensor(s)
        np.testing.assert_array_equal(round_exactly(*tensors, zero, low, high, rounding(fmt)).numpy(), expected)


def test_a_shift_of_nothing_doubles_before_rounding():
    sums = torch.tensor([[[[-9, 3, 40]]]])
    one, none = torch.tensor([1]), torch.tensor([0])
    result = round_exactly(sums, none, one, none, -4, -4, 16, rounding(DyBit(4)))
    assert result.flatten().tolist() == [0, 3, 20]


class TestGradients:
    """d/ds and d/db of adaptive scale and shift (docs/numerics.md, section 2), through gain and zero level."""

    def gradients(self, value, *, low, zero, high):
        sums = torch.full((1, 1, 1, 1), value, requires_grad=True)
        bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        gain = torch.full((1,), 0.5, dtype=torch.float64, requires_grad=True)
        level = torch.tensor(float(zero), requires_grad=True)
        ends = torch.tensor(float(low)), torch.tensor(float(high))
        round_sums(sums, bias, gain, level, *ends, rounding(DyBit(4))).sum().backward()
        return [part.grad.item() for part in (sums, bias, gain, level)]

    def test_inside_the_clamp_that_of_the_real_value(self):
        assert self.gradients(6.4, low=-4, zero=-4, high=16) == [0.5, 0.5, pytest.approx(6.4), 0.0]

    def test_above_a_fixed_end_only_the_zero_level_has_one(self):
        assert self.gradients(90.0, low=-4, zero=-4, high=16) == [0.0, 0.0, 0.0, -1.0]

    def test_below_a_clamp_at_the_zero_level_there_is_none(self):
        assert self.gradients(-3.0, low=-4, zero=-4, high=16) == [0.0, 0.0, 0.0, 0.0]

    def test_below_a_fixed_end_only_the_zero_level_has_one(self):
        assert self.gradients(-90.0, low=-16, zero=-4, high=16) == [0.0, 0.0, 0.0, -1.0]
