"""What a chip's data sheet says of its clock."""

from __future__ import annotations

import pytest
from narrows.hw.spec.sdram import AS4C32M16


@pytest.mark.parametrize(("clock_mhz", "latency"), [(25, 2), (100, 2), (100.5, 3), (143, 3)])
def test_data_comes_two_cycles_after_a_read_up_to_the_clock_of_the_data_sheet(clock_mhz: float, latency: int) -> None:
    assert AS4C32M16.cas_latency(clock_mhz) == latency


def test_the_chip_holds_64_megabytes() -> None:
    assert AS4C32M16.bytes == 64 << 20
