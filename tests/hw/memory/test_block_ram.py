"""The techmap of ECP5 block RAMs: all of a tile's contents are said to be 0."""

from __future__ import annotations

import re

from narrows.hw.memory.block_ram import BLOCK_RAM_ECP5


def test_every_row_of_a_tile_begins_as_zero() -> None:
    contents = re.findall(r"\.INITVAL_([0-9A-F]{2})\(320'b0\)", BLOCK_RAM_ECP5)
    tiles = len(re.findall(r"^ *(?:DP16KD|PDPW16KD)\b", BLOCK_RAM_ECP5, re.MULTILINE))
    assert tiles and contents == [f"{index:02X}" for index in range(64)] * tiles
