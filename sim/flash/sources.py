"""sources: the Verilog of the flash's model, and how a simulator is told what is in it."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["FLASH_IMAGE", "bench_verilog", "chip_verilog", "flash_arguments"]

FLASH_IMAGE = "flash.bin"
"""File of a job's folder that a simulated core finds in its flash."""


def chip_verilog(*, clock_mhz: float) -> str:
    """Verilog of the chip's model, ``narrows_flash_chip``, beside a core of so many MHz."""
    text, found = re.subn(r"\bPERIOD_PS = \d+", f"PERIOD_PS = {round(1e6 / clock_mhz)}", _read("chip.v"), count=1)
    assert found == 1
    return text


def bench_verilog(*, boots: bool) -> str:
    """Verilog in front of a bench: macros for the flash of a core that boots from one, and the chip, at 100 MHz."""
    if not boots:
        return _read("bench.v")
    return "`define NARROWS_FLASH\n" + _read("bench.v") + chip_verilog(clock_mhz=100)


def flash_arguments(image: Path, offset: int) -> list[str]:
    """Arguments of a simulator: what is in the flash, and from which byte on."""
    return [f"+flash={image}", f"+flash_base={offset}"]


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
