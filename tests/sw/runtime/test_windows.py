"""Bursts carry whole words with the window's padding beats, and as few words as they can."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Region, region_address
from narrows.sw.runtime.windows import BURST_GAP, from_burst, runs, to_burst, window_span

# 4 * 10 * 4 = 160 bits: 5 beats in a stride of 8
CONFIG = AcceleratorConfig(rows=1, columns=10, lanes=4, rescalers=2)


def test_words_are_padded_to_the_stride():
    words = np.arange(1, 11, dtype=np.uint32).reshape(2, 5)
    burst = to_burst(CONFIG, Region.WEIGHTS, words)
    assert burst.tolist() == [1, 2, 3, 4, 5, 0, 0, 0, 6, 7, 8, 9, 10, 0, 0, 0]
    np.testing.assert_array_equal(from_burst(CONFIG, Region.WEIGHTS, burst), words)
    assert window_span(CONFIG, Region.WEIGHTS, 3, 2) == (region_address(CONFIG, Region.WEIGHTS, 3), 16)


@given(st.lists(st.integers(0, 400), min_size=1))
def test_runs_hold_every_address_and_no_wide_gap(addresses):
    ranges = runs(np.array(addresses))
    held = {address for first, end in ranges for address in range(first, end)}
    assert held >= set(addresses)
    for first, end in ranges:
        inside = sorted({address for address in addresses if first <= address < end})
        assert (inside[0], inside[-1]) == (first, end - 1)
        assert all(after - before <= BURST_GAP + 1 for before, after in itertools.pairwise(inside))
    assert all(after[0] - before[1] > BURST_GAP for before, after in itertools.pairwise(ranges))
