"""Channel (p * g + q) * C + c of the small image at (Y, X) is channel c of the large one at (f*Y + p, g*X + q)."""

import numpy as np
import pytest
from narrows.sw.enlarging import apart, enlarged, enlarged_shape, small_size


@pytest.mark.parametrize("factors", [(1, 1), (2, 2), (1, 3), (4, 2)])
def test_every_pixel_comes_from_its_phase(factors):
    (f, g), channels = factors, 3
    small = np.random.default_rng(0).integers(0, 1000, (2, channels * f * g, 4, 5))
    large = enlarged(small, factors)
    assert large.shape == (2, *enlarged_shape(small.shape[1:], factors)) == (2, channels, 4 * f, 5 * g)
    assert small_size(large.shape[1:], factors) == (4, 5)
    for c, y, x in np.ndindex(large.shape[1:]):
        phase = (y % f) * g + x % g
        np.testing.assert_array_equal(large[:, c, y, x], small[:, phase * channels + c, y // f, x // g])
    np.testing.assert_array_equal(apart(large, factors), small)
