"""bench/campaign/broken_runs.py: mutants end alike on core and ISA model; races are told from differences."""

from __future__ import annotations

import random

import numpy as np
import pytest
from campaign.broken_runs import break_programs
from campaign.program_accesses import WINDOW, accesses, own_fault, race
from campaign.program_mutants import ProgramMutants
from illegal_programs import CONFIGS, fitting_programs
from narrows.hw.control import sequencer
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import END, LOAD, STORE, Opcode
from narrows.hw.spec.registers import Fault, Region
from narrows.sim.cosim.core_source import GivenVerilog
from narrows.sim.isa_model import IsaMachine

BACKED = CONFIGS["backed"]
MOVED = {"memory": int(Region.ACTIVATIONS), "count": 4, "lines": 1}


@pytest.mark.parametrize("name", ["plain", "backed"])
def test_mutants_end_alike_and_leave_a_core_that_works(name: str) -> None:
    report = break_programs(fitting_programs(CONFIGS[name], 2, seed=3), mutants=30, seed=8)
    assert report.wrong == []
    assert report.mutants == sum(report.outcomes.values()) == 60
    assert report.outcomes["END"] > 10 < sum(report.outcomes.values()) - report.outcomes["END"]


def test_a_core_that_differs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    config = CONFIGS["plain"]
    [program] = fitting_programs(config, 1, seed=3)
    monkeypatch.setattr(sequencer, "_levels_wrong", lambda config, fields: [])  # what is beyond a level is legal
    core = GivenVerilog(config, CoreVerilog(config).text())
    report = break_programs([program], mutants=150, seed=8, verilog=core)
    assert report.wrong != []


@pytest.mark.parametrize("config", [CONFIGS["plain"], BACKED], ids=["plain", "backed"])
def test_mutants_are_changes_of_the_programs_own_records(config: AcceleratorConfig) -> None:
    [program] = fitting_programs(config, 1, seed=3)
    tables = {Region.INSTRUCTIONS: program.instructions, Region.BLOCKS: program.blocks, Region.TAPS: program.taps}
    drawn = ProgramMutants(program, random.Random(5))
    seen = set()
    for _ in range(200):
        changes = drawn.draw()
        assert len({(change.region, change.place) for change in changes}) == len(changes) in (1, 2, 3)
        for change in changes:
            assert change.before == tables[change.region].reshape(-1, len(change.now))[change.place].tolist()
            seen.add(change.region)
    assert seen == set(tables)


def _machine(*instructions: list[int]) -> IsaMachine:
    machine = IsaMachine(BACKED)
    rows = np.array([*instructions, END.encode({})], dtype=np.uint32).reshape(-1, 1)
    machine.write_words(Region.INSTRUCTIONS, 0, rows)
    assert machine.backing is not None
    machine.backing.set_window(base=0, limit=4096)
    return machine


def test_a_program_that_compiles_has_no_race() -> None:
    for program in fitting_programs(BACKED, 4, seed=3):
        machine = IsaMachine(BACKED)
        for region, words in program.memories.items():
            machine.write_words(region, 0, words)
        assert machine.backing is not None
        machine.backing.set_window(base=0, limit=program.window_bytes)
        assert not race(accesses(machine))


def test_a_load_and_a_store_of_one_place_race_unless_a_token_orders_them() -> None:
    load, store = {"opcode": Opcode.LOAD, **MOVED}, {"opcode": Opcode.STORE, **MOVED, "external": 2048}
    apart = store | {"address": 8}
    assert race(accesses(_machine(LOAD.encode(load), STORE.encode(store))))
    assert not race(accesses(_machine(LOAD.encode(load), STORE.encode(apart))))
    ordered = LOAD.encode(load | {"post_prev": 1}), STORE.encode(store | {"wait_next": 1})
    assert not race(accesses(_machine(*ordered)))
    assert accesses(_machine(*ordered))[1].writes[WINDOW].tolist() == list(range(512, 516))


def test_a_store_that_leaves_the_window_may_have_written_lines_within() -> None:
    store = {"opcode": Opcode.STORE, **MOVED, "lines": 3, "external": 2048, "external_pitch": 1024}
    machine = _machine(STORE.encode(store))
    assert own_fault(machine, 0) is Fault.WINDOW
    assert accesses(machine)[0].writes[WINDOW].tolist() == [*range(512, 516), *range(768, 772)]


def test_an_instructions_own_fault_does_not_look_at_others() -> None:
    beyond = LOAD.encode({"opcode": Opcode.LOAD, **MOVED, "external": 4096})
    machine = _machine(LOAD.encode({"opcode": Opcode.LOAD, **MOVED, "lines": 0}), beyond)
    assert [own_fault(machine, index) for index in range(3)] == [Fault.ILLEGAL_INSTRUCTION, Fault.WINDOW, Fault.NONE]
