"""Scales that a rescaler undoes exactly."""

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.quantize.grid import ScaleGrid


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 8, 16, 32])
def test_multiplicands_have_exactly_k_bits_and_shifts_fit(bits):
    config = AcceleratorConfig(rescale_bits=bits, acc_bits=24)
    grid = ScaleGrid.of(0.37, config)
    assert (grid.multiplicands >> (bits - 1) == 1).all()
    assert grid.shifts.min() == 0 and grid.shifts.max() == config.shift_max
    np.testing.assert_array_equal(grid.scales, 0.37 * grid.multiplicands / 2.0**grid.shifts)
    assert (np.diff(grid.scales) > 0).all()


def test_all_multiplicands_of_narrow_rescalers_are_tried():
    grid = ScaleGrid.of(1.0, AcceleratorConfig(rescale_bits=4))
    assert sorted(set(grid.multiplicands)) == list(range(8, 16))


def test_window_starts_at_the_first_scale_not_below_and_covers_the_octaves():
    grid = ScaleGrid.of(1.0, AcceleratorConfig(rescale_bits=4))
    low = np.array([0.01, 0.3])
    window = grid.scales[grid.window(low, 3.0)]
    assert (window[:, 0] >= low).all() and (window[:, 0] < low * 1.2).all()
    assert (window[:, -1] >= low * 7.9).all()


@pytest.mark.parametrize("bits", [2, 3, 4, 8, 16, 32])
def test_free_scales_have_the_nearest_multiplicand(bits):
    config = AcceleratorConfig(rescale_bits=bits, acc_bits=20)
    grid = ScaleGrid.free(0.37, config)
    assert (grid.multiplicands >> (bits - 1) == 1).all()
    assert grid.shifts.min() >= 0 and grid.shifts.max() <= config.shift_max
    np.testing.assert_allclose(grid.scales[1:] / grid.scales[:-1], 2 ** (1 / 8), rtol=1e-12)
    gains = 0.37 * grid.multiplicands / 2.0**grid.shifts / grid.scales
    assert np.abs(gains - 1).max() <= 1 / (2**bits + 1) + 1e-12
    if bits <= 8:
        assert np.abs(gains - 1).max() > 1e-4
