"""sources: the Verilog of the SDRAM model with the times of a chip."""

from __future__ import annotations

import re
from pathlib import Path

from ...hw.spec.sdram import SdramChip

__all__ = ["STATISTICS", "chip_verilog", "memory_verilog"]

STATISTICS = 0x0FFF0000
"""Byte of a simulated backing store from which on `memory.v` shows what the chip counted: refreshes, most cycles
between two of them, READs, WRITEs, ACTIVEs."""


def chip_verilog(chip: SdramChip, *, clock_mhz: float) -> str:
    """Verilog of the chip's model, ``narrows_sdram_chip``, and of the cells that lead to it."""
    picoseconds = {
        "PERIOD": 1e6 / clock_mhz,
        **{name.upper(): 1e3 * getattr(chip, name) for name in ("rcd", "rp", "ras", "rc", "rfc", "wr", "rrd")},
        "REFRESH": 1e3 * chip.refresh,
        "POWER_UP": 1e3 * chip.power_up,
    }
    values = {f"{name}_PS": round(value) for name, value in picoseconds.items()}
    values |= {"ROW_BITS": (chip.rows - 1).bit_length(), "COLUMN_BITS": (chip.columns - 1).bit_length()}
    text = _read("chip.v")
    for name, value in values.items():
        text, found = re.subn(rf"\b{name} = \d+", f"{name} = {value}", text, count=1)
        assert found == 1, name
    return _read("cells.v") + text


def memory_verilog(chip: SdramChip, controller: str, *, clock_mhz: float) -> str:
    """Verilog of a memory for `narrows.sim.cosim.session.simulate`: the chip behind a controller.

    Parameters
    ----------
    chip : SdramChip
    controller : str
        What `narrows.boards.sdram.sdram_verilog` gives.
    clock_mhz : float
        Of all of it.
    """
    return _read("memory.v") + chip_verilog(chip, clock_mhz=clock_mhz) + controller


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
