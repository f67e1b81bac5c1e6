"""Tables of levels: what is within their clamp."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.formats import Int
from narrows.sw.quantised import LevelTable

TABLE = LevelTable(zero=0, low=-2, high=1, levels=np.arange(-127, 128) % 7)


def test_levels_within_the_clamp_are_used() -> None:
    assert TABLE.used.tolist() == [-2 % 7, -1 % 7, 0, 1]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"low": 2}, "a table for 2 to 1"),
        ({"zero": 128}, "a table with the zero 128"),
        ({"levels": np.zeros(254, dtype=np.int64)}, r"a table of shape \(254,\)"),
        ({"levels": np.full(255, 8)}, "a table of other levels"),
    ],
)
def test_what_no_quantiser_makes_is_refused(changes: dict, what: str) -> None:
    TABLE.check(Int(4), "layer 'a'")
    with pytest.raises(ValueError, match=f"^layer 'a' has {what}$"):
        LevelTable(**{**vars(TABLE), **changes}).check(Int(4), "layer 'a'")
