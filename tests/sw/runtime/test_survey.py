"""What a program is seen to do before it runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.cycles import compute_cycles
from narrows.hw.spec.isa import BLOCK, COMPUTE, END, LOAD, Opcode
from narrows.hw.spec.registers import Region
from narrows.hw.spec.transfer import line_bytes
from narrows.sw.errors import ProgramError
from narrows.sw.runtime.survey import WATCHDOG_SLACK, Survey, survey

CONFIG = AcceleratorConfig(backing="axi4")
MOVED = {"opcode": Opcode.LOAD, "memory": Region.ACTIVATIONS, "count": 5, "lines": 3}
LAYER = {"opcode": Opcode.COMPUTE, "out_height": 2, "out_width": 3, "rows": 1, "column_groups": 2, "planes": 1}


def program(*rows: list[int]) -> Any:
    blocks = np.array([BLOCK.encode({"groups": 3, "tap_count": 4})], dtype=np.uint32)
    return SimpleNamespace(config=CONFIG, instructions=np.array(rows, dtype=np.uint32), blocks=blocks)


def test_the_watchdog_allows_four_times_what_layers_and_transfers_take() -> None:
    layer = COMPUTE.encode(LAYER | {"block_count": 1})
    found = survey(program(LOAD.encode(MOVED), layer, END.encode({"opcode": Opcode.END}), layer))
    fields = COMPUTE.decode(layer)
    takes = compute_cycles(CONFIG, fields, 12).cycles + 3 * (1000 + line_bytes(CONFIG, MOVED))
    assert found == Survey(frozenset({1}), 2, 4 * takes + WATCHDOG_SLACK)


def test_a_program_without_an_end_is_refused() -> None:
    with pytest.raises(ProgramError, match="the program has no END: compile the model again"):
        survey(program(LOAD.encode(MOVED)))
