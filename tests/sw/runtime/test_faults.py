"""What a core's registers say of a fault, in words."""

from __future__ import annotations

from narrows.hw.spec.registers import Region
from narrows.sw.runtime.faults import damaged_regions


def test_each_memory_with_a_damaged_word_is_named_and_no_other() -> None:
    assert damaged_regions(1 << Region.TAPS) == "TAPS"
    assert damaged_regions(1 << Region.ACTIVATIONS | 1 << Region.BLOCKS) == "BLOCKS and ACTIVATIONS"
    assert damaged_regions(0) == ""
