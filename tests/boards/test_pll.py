"""Clock generators: their divisors give the clock, within what the cells allow."""

from __future__ import annotations

import pytest
from narrows.boards.pll import Divisors, PllError, divisors_for


@pytest.mark.parametrize(
    ("family", "input_mhz", "mhz", "expected"),
    [
        ("ice40", 12, 24, Divisors(reference=1, feedback=64, output=32, mhz=24)),
        ("ice40", 12, 18, Divisors(reference=1, feedback=48, output=32, mhz=18)),
        ("ecp5", 25, 100, Divisors(reference=1, feedback=4, output=4, mhz=100)),
        ("gowin", 27, 27, Divisors(reference=1, feedback=1, output=16, mhz=27)),
        ("xilinx", 100, 100, Divisors(reference=1, feedback=8, output=8, mhz=100)),
    ],
)
def test_divisors_give_the_clock(family: str, input_mhz: float, mhz: float, expected: Divisors) -> None:
    assert divisors_for(family, input_mhz, mhz) == expected


def test_a_clock_in_between_is_the_nearest() -> None:
    found = divisors_for("ecp5", 48, 85)
    assert abs(found.mhz - 85) < 0.17
    assert found.mhz == 48 * found.feedback / found.reference
    assert 400 <= found.mhz * found.output <= 800


def test_a_clock_that_cannot_be_made_is_refused_in_one_line() -> None:
    with pytest.raises(PllError, match="the SB_PLL40 makes 528 MHz of 12 MHz at best, not 600 MHz") as caught:
        divisors_for("ice40", 12, 600)
    assert "\n" not in str(caught.value)
