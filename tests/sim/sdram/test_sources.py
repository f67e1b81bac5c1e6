"""Verilog of the SDRAM model: the numbers of the chip that it stands for."""

from __future__ import annotations

import dataclasses
import re

from narrows.hw.spec.sdram import AS4C32M16
from narrows.sim.sdram import chip_verilog


def numbers(text: str) -> dict[str, int]:
    """The first number that each parameter is set to."""
    found: dict[str, int] = {}
    for name, value in re.findall(r"\b([A-Z_]+) = (\d+)", text):
        found.setdefault(name, int(value))
    return found


def test_it_has_the_rows_columns_and_times_of_the_chip() -> None:
    chip = dataclasses.replace(AS4C32M16, rows=4096, columns=256, rcd=21.5)
    found = numbers(chip_verilog(chip, clock_mhz=80))
    assert (found["ROW_BITS"], found["COLUMN_BITS"]) == (12, 8)
    assert (found["RCD_PS"], found["PERIOD_PS"]) == (21_500, 12_500)
