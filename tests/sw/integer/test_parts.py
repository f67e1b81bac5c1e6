"""Integers in files: the narrowest type that holds them, and none but integers back."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.sw.integer.parts import narrowed, widened


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([-128, 127], np.int8), ([128], np.int16), ([1 << 15], np.int32), ([1 << 31], np.int64), ([], np.int8)],
)
def test_integers_become_as_narrow_as_they_fit_and_come_back(values: list[int], dtype: type) -> None:
    given = np.array(values, dtype=np.int64)
    found = narrowed(given)
    assert found.dtype == dtype
    np.testing.assert_array_equal(widened(found), given)


def test_other_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^an array of float64 where integers belong$"):
        widened(np.zeros(1))
