"""UsbClocks: the clocks of a host's port on USB, 48 and 12 MHz with edges that coincide, on an ECP5."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .pll import PllError, ecp5_output, ecp5_pll

__all__ = ["USB_MHZ", "UsbClocks", "UsbDivisors", "usb_divisors"]

USB_MHZ = (48, 12)
"""Clock of the transceiver, which samples each bit four times, and of all behind it."""

_OSCILLATOR, _COMPARISON = (400, 800), 3.125  # MHz; Lattice FPGA-TN-02200


@dataclass(frozen=True, kw_only=True)
class UsbDivisors:
    """Settings of an EHXPLLL: divisors of its input, of its feedback, and of its oscillator for the feedback, 48 and
    12 MHz."""

    reference: int
    feedback: int
    primary: int
    fast: int
    slow: int


def usb_divisors(input_mhz: float) -> UsbDivisors:
    """The settings that make exactly 48 and 12 MHz, comparing as fast as can be.

    Raises
    ------
    PllError
        If there are none.
    """
    for reference in range(1, int(input_mhz / _COMPARISON) + 1):
        for feedback in range(1, 81):
            for primary in range(1, 129):
                oscillator = input_mhz * feedback * primary / reference
                if not _OSCILLATOR[0] <= oscillator <= _OSCILLATOR[1] or oscillator % USB_MHZ[0]:
                    continue
                fast, slow = (int(oscillator) // mhz for mhz in USB_MHZ)
                if primary <= fast:  # an output's phase is less than its period, and all have the same
                    return UsbDivisors(reference=reference, feedback=feedback, primary=primary, fast=fast, slow=slow)
    raise PllError(f"the EHXPLLL cannot make 48 and 12 MHz of {input_mhz:g} MHz: USB needs both exactly")


class UsbClocks(wiring.Component):
    """Makes ``clk_48`` and ``clk_12`` of the clock on ``clock``; ``locked`` is high while they are steady.

    Parameters
    ----------
    input_mhz : float
        Frequency of ``clock``.

    Raises
    ------
    PllError
        If they cannot be made of it.
    """

    def __init__(self, *, input_mhz: float) -> None:
        self.divisors = usb_divisors(input_mhz)
        self._input_mhz = input_mhz
        super().__init__({"clock": In(1), "clk_48": Out(1), "clk_12": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Place the cell; all outputs begin in the same cycle of the oscillator."""
        m = Module()
        divisors, primary = self.divisors, Signal()
        phase = divisors.primary // 2
        m.submodules.pll = Instance(
            "EHXPLLL",
            **ecp5_pll(self._input_mhz, divisors.reference, divisors.feedback, self.clock, primary, self.locked),
            **ecp5_output("CLKOP", divisors.primary, phase, primary),
            **ecp5_output("CLKOS", divisors.fast, phase, self.clk_48),
            **ecp5_output("CLKOS2", divisors.slow, phase, self.clk_12),
            a_FREQUENCY_PIN_CLKOS=f"{USB_MHZ[0]:.6f}",
            a_FREQUENCY_PIN_CLKOS2=f"{USB_MHZ[1]:.6f}",
            p_OUTDIVIDER_MUXB="DIVB",
            p_OUTDIVIDER_MUXC="DIVC",
        )
        return m
