"""Ring: the things used longest ago make room, never the last one while both fit."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.sw.compile.rings import Ring


def test_what_is_still_there_is_not_loaded_again() -> None:
    ring = Ring(10)
    assert [ring.place(key, 4) for key in ("a", "b", "a", "b")] == [(0, True), (6, True), (0, False), (6, False)]


def test_the_one_used_longest_ago_goes_first() -> None:
    ring = Ring(10)
    ring.place("a", 5)
    ring.place("b", 5)
    ring.place("a", 5)
    assert ring.place("c", 5) == (5, True)
    assert ring.place("a", 5) == (0, False)


@pytest.mark.parametrize("seed", range(10))
def test_things_of_up_to_half_the_memory_never_displace_the_one_before(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ring = Ring(100)
    last = range(0)
    for number in range(200):
        words = int(rng.integers(34, 51))
        first, loaded = ring.place(number, words)
        assert loaded
        assert 0 <= first <= 100 - words
        assert first >= last.stop or first + words <= last.start, (seed, number)
        last = range(first, first + words)


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="11 words do not fit a memory of 10"):
        Ring(10).place("a", 11)
