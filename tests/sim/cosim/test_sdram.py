"""Loader and storer before an SDRAM chip: LiteDRAM's controller in between, every time of the chip watched."""

from __future__ import annotations

import pytest
from narrows.boards.sdram import sdram_verilog
from narrows.boards.ulx3s_sdram import BOARD
from narrows.hw.spec.sdram import AS4C32M16
from narrows.sim.sdram import memory_verilog
from random_transfers import transfer_config
from transfer_batch import run_transfers

SEEDS = range(40)


@pytest.mark.parametrize("stall", [0, 120])
def test_random_programs_leave_the_same_memories_as_the_model(stall: int) -> None:
    config = transfer_config(32)
    controller = sdram_verilog(AS4C32M16, device=BOARD.device, clock_mhz=100, bus_bits=32)
    memory = memory_verilog(AS4C32M16, controller, clock_mhz=100)
    reports = run_transfers(config, SEEDS, latency=1, pace=1, stall=stall, seed=5, memory=memory)
    assert {seed: report["differences"] for seed, report in zip(SEEDS, reports, strict=True)} == {
        seed: [] for seed in SEEDS
    }
