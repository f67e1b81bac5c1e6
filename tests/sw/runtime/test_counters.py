"""Counters of a run, read from cores that count all, and from those that count cycles alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.cycles import CycleCount
from narrows.hw.spec.registers import Register, core_registers
from narrows.sw.runtime import run_sync
from narrows.sw.runtime.counters import read_counters


class Registers:
    """Answers with ten times a register's number, and counts reads."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.known = {register.offset for register in core_registers(config)}
        self.reads = 0

    async def read(self, address: int, count: int) -> np.ndarray:
        self.reads += 1
        asked = [address + 4 * index for index in range(count)]
        assert set(asked) <= self.known
        return np.array([10 * offset for offset in asked], dtype=np.uint32)


@pytest.mark.parametrize("backing", ["none", "axi4"])
def test_each_counter_is_its_registers_and_all_come_in_one_read(backing: str) -> None:
    config = AcceleratorConfig(backing=backing)
    registers = Registers(config)
    found = run_sync(read_counters(registers, config))
    fields = {field.name: Register[field.name.upper()] for field in dataclasses.fields(CycleCount)}
    there = core_registers(config)
    assert dataclasses.asdict(found) == {
        name: 10 * register.offset if register in there else 0 for name, register in fields.items()
    }
    assert registers.reads == 1


def test_a_core_without_counters_counts_cycles() -> None:
    config = AcceleratorConfig(counters=0)
    assert run_sync(read_counters(Registers(config), config)) == CycleCount(cycles=10 * Register.CYCLES.offset)
