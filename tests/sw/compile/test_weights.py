"""Weight words that column groups share are those of each, lane by lane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.compile.weights import diagonal_words, shared_words

SHAPES = [(4, 16), (8, 16), (1, 4), (2, 64)]


@pytest.mark.parametrize(("columns", "lanes"), SHAPES)
@pytest.mark.parametrize("periods", [1, 2, 2.5])
def test_shared_words_hold_each_column_groups_own(columns: int, lanes: int, periods: float) -> None:
    config = replace(AcceleratorConfig(), columns=columns, lanes=lanes, rescalers=1)
    channels = max(1, int(periods * lanes) - 1)
    codes = np.random.default_rng(channels).integers(1, 16, (channels, 9)).astype(np.uint8)
    words = diagonal_words(codes, config, groups=1, span=lanes)[:, 0]
    shared = shared_words(words, config)
    assert shared is not None
    assert shared.shape == (-(-channels // lanes), 9, columns * lanes)
    for tile, own in enumerate(words):
        period, place = divmod(tile, config.diagonals)
        kept = np.zeros((9, columns, lanes), dtype=np.uint8)
        lanes_of = slice(place * columns, (place + 1) * columns)
        kept[:, :, lanes_of] = shared[period].reshape(9, columns, lanes)[:, :, lanes_of]
        assert (kept.reshape(9, -1) == own).all()


def test_words_that_reach_into_lanes_of_others_are_not_shared() -> None:
    config = AcceleratorConfig(columns=4, lanes=16)
    words = np.zeros((4, 1, 64), dtype=np.uint8)
    words[1, 0, 3] = 5
    assert shared_words(words, config) is None
    words[1, 0, 3], words[0, 0, 3] = 0, 5
    assert shared_words(words, config) is not None
