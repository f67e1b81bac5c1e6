"""Clocks of USB: both exact, within what the cell allows, and in phase."""

from __future__ import annotations

import pytest
from narrows.boards.pll import PllError
from narrows.boards.usb_clocks import UsbDivisors, usb_divisors


@pytest.mark.parametrize(
    ("input_mhz", "expected"),
    [
        (25, UsbDivisors(reference=5, feedback=12, primary=8, fast=10, slow=40)),
        (48, UsbDivisors(reference=1, feedback=1, primary=9, fast=9, slow=36)),
        (12, UsbDivisors(reference=1, feedback=4, primary=9, fast=9, slow=36)),
    ],
)
def test_both_clocks_are_exact_and_in_phase(input_mhz: float, expected: UsbDivisors) -> None:
    found = usb_divisors(input_mhz)
    assert found == expected
    oscillator = input_mhz * found.feedback * found.primary / found.reference
    assert 400 <= oscillator <= 800 and input_mhz / found.reference >= 3.125
    assert (oscillator / found.fast, oscillator / found.slow) == (48, 12)
    assert found.primary // 2 < found.fast, "the phase of all three outputs"


def test_an_input_that_does_not_give_them_is_refused() -> None:
    with pytest.raises(PllError, match=r"the EHXPLLL cannot make 48 and 12 MHz of 25\.3 MHz: USB needs both exactly"):
        usb_divisors(25.3)
