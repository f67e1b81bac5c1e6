"""Loader, storer and tokens of a simulated core against the ISA model, over a bus that stalls at random."""

from __future__ import annotations

import pytest
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Fault
from narrows.sim.cosim.player import Habit
from narrows.sim.cosim.session import simulate
from random_transfers import transfer_config
from silent_bus import silence
from transfer_batch import run_transfers
from transfer_faults import faults

SEEDS = range(40)
SMALL = transfer_config(128, lanes=4, columns=2, banks=1, memories="single")


@pytest.mark.parametrize(
    ("config", "bus"),
    [
        (transfer_config(64, drain_rows=4), {"latency": 9, "pace": 1, "stall": 100}),
        (transfer_config(32, lanes=16, columns=6, banks=3, prefetch=0), {"latency": 30, "pace": 2, "stall": 40}),
        (SMALL, {"latency": 1, "pace": 1, "stall": 180}),
    ],
    ids=["64 bits, four rows drained", "32 bits, fetched late", "128 bits, one port"],
)
def test_random_programs_leave_the_same_memories_whatever_the_bus_does(
    config: AcceleratorConfig, bus: dict[str, int]
) -> None:
    reports = run_transfers(config, SEEDS, **bus)
    assert {seed: report["differences"] for seed, report in zip(SEEDS, reports, strict=True)} == {
        seed: [] for seed in SEEDS
    }


@pytest.mark.parametrize(
    "habits",
    [Habit.WAITS_FOR_BOTH, Habit.DATA_FIRST, Habit.WAITS_FOR_BOTH | Habit.FICKLE, Habit.DATA_FIRST | Habit.FICKLE],
    ids=str,
)
def test_nor_does_it_matter_in_what_order_the_bus_takes_addresses_and_data(habits: Habit) -> None:
    bus = {"latency": 5, "pace": 1, "stall": 60, "seed": 77 + habits, "habits": int(habits)}
    reports = run_transfers(SMALL, SEEDS, **bus)
    found = {seed: report["differences"] for seed, report in zip(SEEDS, reports, strict=True)}
    assert found == {seed: [] for seed in SEEDS}, bus


def test_a_bus_that_is_silent_or_fails_leaves_the_host_in_charge() -> None:
    assert simulate(CoreVerilog(SMALL), lambda transport: silence(transport, SMALL)).result == {}


def test_faults_of_the_bus_have_a_name_and_leave_a_core_that_works() -> None:
    config = transfer_config(64)
    assert simulate(CoreVerilog(config), lambda transport: faults(transport, config)).result == {
        "load": [Fault.NONE, 0],
        "load beyond the window": [Fault.WINDOW, 2],
        "load beyond the window behind a compute": [Fault.WINDOW, 1],
        "store beyond the window": [Fault.WINDOW, 1],
        "second line beyond the window": [Fault.WINDOW, 0],
        "load that the bus refuses": [Fault.BUS, 1],
        "store that the bus refuses": [Fault.BUS, 0],
        "memory that cannot be loaded": [Fault.ILLEGAL_INSTRUCTION, 1],
        "nothing to load": [Fault.ILLEGAL_INSTRUCTION, 0],
        "a token that never comes": [Fault.WATCHDOG, 2],
    }
