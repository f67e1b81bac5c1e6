"""Grids of trained quantisers: which integer a value rounds to, at ties above all."""

import numpy as np
import pytest
from narrows.sw.grids import Grid, Rounding

TIES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])


def grid(rounding: Rounding = Rounding.EVEN, *, zero: int = 0, scale: float = 1.0) -> Grid:
    return Grid(scale=scale, zero=zero, low=-8, high=7, rounding=rounding)


@pytest.mark.parametrize(
    ("rounding", "zero", "wanted"),
    [
        (Rounding.EVEN, 0, [-2, -2, 0, 0, 2, 2]),
        (Rounding.EVEN, 1, [-2, 0, 0, 2, 2, 4]),
        (Rounding.AWAY, 0, [-3, -2, -1, 1, 2, 3]),
        (Rounding.AWAY, 1, [-2, -1, 0, 2, 3, 4]),  # away from the real value 0, whose integer is 1
        (Rounding.CODE_AWAY, 1, [-2, -1, 1, 2, 3, 4]),  # away from the integer 0
        (Rounding.TWICE, 1, [-2, -1, 0, 2, 3, 4]),  # real values: as AWAY
        (Rounding.MEAN, 1, [-2, -1, 0, 2, 3, 4]),
        (Rounding.UP, 0, [-2, -1, 0, 1, 2, 3]),
        (Rounding.UP, 1, [-1, 0, 1, 2, 3, 4]),
    ],
)
def test_ties(rounding: Rounding, zero: int, wanted: list[int]) -> None:
    np.testing.assert_array_equal(grid(rounding, zero=zero).integers(TIES), wanted)
    half = grid(rounding, zero=zero, scale=0.5)
    np.testing.assert_array_equal(half.integers(TIES / 2), wanted)
    np.testing.assert_array_equal(half.round(TIES / 2), (np.array(wanted) - zero) / 2)


def test_values_beyond_the_ends_become_the_ends() -> None:
    np.testing.assert_array_equal(grid(zero=2).integers([-1e9, -10.5, 5.4, np.inf]), [-8, -8, 7, 7])


def test_a_bipolar_grid_has_two_values_and_0_is_positive() -> None:
    two = Grid(scale=0.25, zero=0, low=-1, high=1, bipolar=True)
    np.testing.assert_array_equal(two.round([-3.0, -1e-9, 0.0, 0.1]), [-0.25, -0.25, 0.25, 0.25])


def test_a_clipped_grid_keeps_the_integers_between_the_bounds() -> None:
    whole = grid(scale=0.5)
    assert whole.clipped(0, np.inf) == Grid(scale=0.5, zero=0, low=0, high=7)
    assert whole.clipped(-np.inf, 2.0) == Grid(scale=0.5, zero=0, low=-8, high=4)
    assert whole.clipped(0, 1.2) is None  # between 2 and 3 steps
    assert whole.clipped(-np.inf, np.inf) == whole


def test_grids_of_the_same_values_are_equal_however_they_round() -> None:
    assert grid(Rounding.EVEN) == grid(Rounding.TWICE)
    assert grid() != grid(zero=1)
