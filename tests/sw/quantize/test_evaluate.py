"""Float evaluation sums trained integers exactly: what it rounds to a level is what exact arithmetic rounds to it."""

from fractions import Fraction

import numpy as np
import pytest
from narrows.sw.grids import Grid
from narrows.sw.layers import Mac, Term
from narrows.sw.quantize.evaluate import sums
from narrows.sw.windows import Window

SCALE, STEP = float(np.float32(0.0291)), float(np.float32(0.00713))


def layer(levels, bias):
    term = Term(
        source="x",
        weights=levels[:, :, np.newaxis, np.newaxis] * STEP,
        window=Window(kernel=(1, 1)),
        step=np.full(len(levels), STEP),
    )
    return Mac(name="m", terms=(term,), bias=bias, output="y")


@pytest.mark.parametrize("seed", range(5))
def test_sums_of_trained_integers_are_exact(seed):
    rng = np.random.default_rng(seed)
    levels, q = rng.integers(-127, 128, (6, 900)), rng.integers(-128, 128, (4, 900))
    bias = rng.normal(size=6)
    grid = Grid(scale=SCALE, zero=3, low=-128, high=127)
    x = ((q - grid.zero) * SCALE).astype(np.float32)[:, :, np.newaxis, np.newaxis]
    found = sums(layer(levels, bias), {"x": x}, {"x": grid})[:, :, 0, 0]
    unit = Fraction(SCALE) * Fraction(STEP)
    expected = [
        [float(int(n) * unit + Fraction(b)) for n, b in zip(row, bias, strict=True)]
        for row in (q - grid.zero) @ levels.T
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-14)


def test_equal_sums_stay_equal():
    rng = np.random.default_rng(1)
    first = rng.integers(-127, 128, 900)
    order = rng.permutation(900)
    grid = Grid(scale=SCALE, zero=0, low=-128, high=127)
    x = (np.full(900, 77) * SCALE).astype(np.float32).reshape(1, -1, 1, 1)
    found = sums(layer(np.stack([first, first[order]]), np.zeros(2)), {"x": x}, {"x": grid})
    assert found[0, 0] == found[0, 1] == pytest.approx(77 * SCALE * STEP * first.sum())


def test_other_sums_are_those_of_float32():
    levels = np.ones((1, 3))
    assert sums(layer(levels, np.zeros(1)), {"x": np.ones((1, 3, 1, 1), np.float32)}, {}).dtype == np.float32
