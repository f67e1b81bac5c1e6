"""Layers in parts: only those that the whole run waits for, and only where it gains."""

from __future__ import annotations

import pytest
from narrows.sw.compile.late_loads import late_layers


@pytest.mark.parametrize(
    ("loads", "computes", "late"),
    [
        ([], [], []),
        ([100, 100], [9000, 9000], []),  # computing is what takes long
        ([100, 80_000], [9000, 30_000], [1]),  # the last layer's weights
        ([100, 80_000], [9000, 900], []),  # parts would take longer
        ([80_000, 100, 100], [30_000, 1000, 1000], [0]),
        ([80_000, 80_000], [30_000, 30_000], [1]),  # the first one is computed while the second comes in
        ([20_000, 21_000], [19_000, 20_000], [0, 1]),
        ([20_000, 10_000], [19_000, 11_000], [0]),  # then the second one sets the bound, which parts do not lower
        ([50_000, 49_000], [48_000, 47_000], [0, 1]),
    ],
)
def test_layers_that_are_late(loads: list[int], computes: list[int], late: list[int]) -> None:
    assert late_layers(loads, computes) == late
