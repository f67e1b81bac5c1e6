"""Constraints for a core alone, as a start: SDC for most tools, LPF for nextpnr-ecp5."""

from __future__ import annotations

from collections.abc import Sequence

from .ports import Port

__all__ = ["lpf", "sdc"]

_CLOCKS = ("clk", "work_clk")
"""Of a core, the second of a gated one: they are one clock to whoever analyses times."""

_SHARE = 0.3  # of a cycle, left to what is outside


def sdc(ports: Sequence[Port], mhz: float) -> str:
    """Clock, and times for what surrounds the core, which is registered on neither side."""
    period = 1000 / mhz
    outside = {
        direction: " ".join(port.name for port in ports if port.direction == direction and port.name not in _CLOCKS)
        for direction in ("input", "output")
    }
    return "\n".join(
        [
            f"# A narrows core at {mhz:g} MHz. One clock; rst is synchronous to it and active high.",
            f"create_clock -name clk -period {period:.3f} [get_ports {{{' '.join(_clocks(ports))}}}]",
            "# A hint for a core that is a chip of its own; inside a design leave these out.",
            f"set_input_delay -clock clk {period * _SHARE:.3f} [get_ports {{{outside['input']}}}]",
            f"set_output_delay -clock clk {period * _SHARE:.3f} [get_ports {{{outside['output']}}}]",
            "",
        ]
    )


def lpf(ports: Sequence[Port], mhz: float) -> str:
    """Clock, and a line to fill in for each pin; without sites run nextpnr with --lpf-allow-unconstrained."""
    lines = [f'FREQUENCY PORT "{name}" {mhz:g} MHZ;' for name in _clocks(ports)]
    for port in ports:
        names = [port.name] if port.width == 1 else [f"{port.name}[{bit}]" for bit in range(port.width)]
        lines += [f'# LOCATE COMP "{name}" SITE "";' for name in names]
    return "\n".join([*lines, ""])


def _clocks(ports: Sequence[Port]) -> list[str]:
    return [port.name for port in ports if port.name in _CLOCKS]
