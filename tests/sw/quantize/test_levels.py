"""Levels of real values and of sums: nearest, clamped, and the same however much of them is turned at once."""

import numpy as np
import pytest
from narrows.hw.spec.exact import Drain
from narrows.hw.spec.formats import DyBit, Format, Int
from narrows.sw.quantised import QuantisedTensor
from narrows.sw.quantize import levels
from narrows.sw.quantize.levels import drained_levels, level_type, nearest_levels


def tensor(fmt: Format, *, scale: float = 0.5, zero: int = 0, low: int | None = None) -> QuantisedTensor:
    return QuantisedTensor(
        name="t",
        shape=(1, 1, 1),
        format=fmt,
        scale=scale,
        zero=zero,
        low=fmt.bottom if low is None else low,
        high=fmt.top,
    )


def test_nearest_levels_count_from_the_zero_level_and_stay_within_the_clamp() -> None:
    found = nearest_levels(tensor(Int(4), zero=-3, low=-3), np.array([-9.0, -0.1, 0.0, 0.24, 0.25, 2.0, 99.0]))
    np.testing.assert_array_equal(found, [-3, -3, -3, -3, -2, 1, 7])  # 0.25 is a tie, which goes up


def test_levels_of_a_format_that_is_not_even() -> None:
    found = nearest_levels(tensor(DyBit(4), scale=1.0), np.array([2.5, 4.9, 5.0, 7.0, 12.0, -12.0, 100.0]))
    np.testing.assert_array_equal(found, DyBit(4).quantise(np.array([2.5, 4.9, 5.0, 7.0, 12.0, -12.0, 100.0])))
    assert set(found.tolist()) <= set(DyBit(4).levels.tolist())


@pytest.mark.parametrize(
    ("fmt", "dtype"), [(Int(8), np.int8), (DyBit(4), np.int8), (Int(8, signed=False), np.int16), (DyBit(8), np.int16)]
)
def test_the_type_holds_every_level(fmt: Format, dtype: type) -> None:
    assert level_type(tensor(fmt)) is dtype
    assert np.iinfo(dtype).min <= fmt.bottom and fmt.top <= np.iinfo(dtype).max


@pytest.mark.parametrize("at_once", [1, 24, 25, 1 << 22])
def test_sums_become_the_same_levels_however_many_at_once(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fmt = Int(6)
    drain = Drain(
        np.full(3, 4000.0), [5, -7, 0], [3, 5, 15], [4, 2, 7], zero=2, fmt=fmt, low=fmt.bottom + 1, high=fmt.top
    )
    sums = np.random.default_rng(3).integers(-4000, 4000, (3, 5, 2, 4)).astype(np.float64)
    monkeypatch.setattr(levels, "_AT_ONCE", at_once)
    found = drained_levels(drain, sums, np.int8)
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, drain(sums))
