"""bench/products.py: what it counts are the steps that the machine's description says."""

from __future__ import annotations

import products
import pytest
from narrows.hw.spec.formats import DyBit, Format, Int


@pytest.mark.parametrize(
    ("name", "fmt", "steps"),
    [
        # tiles of 4 pixels and 4 columns, four channel groups: a step that latches and one that multiplies
        ("matrix, 64 x 64 of 64", DyBit(4), 16 * 16 * 4 * 2),
        ("matrix, 16 x 16 of 64", Int(8), 4 * 4 * 4 * 2 * 9),
        ("by channel, 64 x 16 x 16", DyBit(4), 64 * 16 * 2),
        # nine pairs of digits, of which three hold what the pair before held
        ("by channel, 64 x 16 x 16", Int(8), 64 * 16 * (9 + 6)),
        ("elementwise, 64 x 16 x 16", DyBit(4), 256 * 16 * 2),
    ],
)
def test_steps(name: str, fmt: Format, steps: int) -> None:
    row = products.measure(name, fmt, products.parse_config("4x4x16:4"))
    assert row["steps"] == steps
    assert row["cycles"] > steps
    assert row["useful"] == pytest.approx(row["products"] / (256 * row["cycles"]))
