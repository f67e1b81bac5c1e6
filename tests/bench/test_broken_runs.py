"""bench/campaign/broken_runs.py: mutants end alike on core and ISA model; races are told from differences."""

from __future__ import annotations

import random

import numpy as np
import pytest
from campaign.broken_runs import break_programs
from campaign.program_accesses import WINDOW, accesses, own_fault, race
from campaign.program_mutants import ProgramMutants
from campaign.run_host import RunHost, RunState
from illegal_programs import CONFIGS, fitting_programs
from narrows.hw.control import sequencer
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import BLOCK, COMPUTE, END, LOAD, STORE, Opcode
from narrows.hw.spec.registers import Fault, Region
from narrows.sim.cosim.core_source import GivenVerilog
from narrows.sim.isa_model import IsaMachine
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.runtime import run_sync

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


def test_a_store_of_results_races_with_the_compute_in_front_of_it_unless_it_waits() -> None:
    ones = ("rows", "planes", "out_height", "out_width", "block_count", "column_groups", "channel_period")
    compute = {"opcode": Opcode.COMPUTE, **dict.fromkeys(ones, 1), "out_base": 1, "post_next": 1}
    for waits in (0, 1):
        store = {"opcode": Opcode.STORE, **MOVED, "wait_prev": waits}
        machine = _machine(COMPUTE.encode(compute), STORE.encode(store))
        block = np.array([BLOCK.encode({"groups": 1, "tap_count": 1})], dtype=np.uint32)
        machine.write_words(Region.BLOCKS, 0, block)
        assert race(accesses(machine)) is not bool(waits)


def test_a_run_begins_with_the_same_memories_whatever_the_one_before_it_loaded() -> None:
    model = IsaTransport(BACKED)
    kept = {region: model.machine.read_words(region, 0, 4) + np.uint32(7) for region in (Region.WEIGHTS, Region.PARAMS)}
    store = np.arange(64, dtype=np.uint32)
    load = {"opcode": Opcode.LOAD, "memory": int(Region.WEIGHTS), "count": 2, "lines": 1}
    words = np.array([LOAD.encode(load), END.encode({})], dtype=np.uint32).reshape(-1, 1)
    model.machine.write_words(Region.INSTRUCTIONS, 0, words)
    assert model.machine.backing is not None
    model.machine.backing.set_window(base=0, limit=4096)
    model.machine.program_config = BACKED.hash32
    host = RunHost(model, BACKED)
    for _ in range(2):
        run_sync(host.begin(RunState(memories=kept, store=store, window=4096), cleared=True))
        assert model.machine.done
        assert (model.machine.read_words(Region.WEIGHTS, 0, 2) != 7).any()
        np.testing.assert_array_equal(model.machine.read_words(Region.WEIGHTS, 2, 2), kept[Region.WEIGHTS][2:])
        np.testing.assert_array_equal(model.machine.read_words(Region.PARAMS, 0, 4), kept[Region.PARAMS])
        model.machine.write_words(Region.WEIGHTS, 2, kept[Region.WEIGHTS][:2] + np.uint32(9))
        model.machine.write_words(Region.PARAMS, 0, kept[Region.PARAMS] + np.uint32(9))


def test_a_store_that_leaves_the_window_may_have_written_lines_within() -> None:
    store = {"opcode": Opcode.STORE, **MOVED, "lines": 3, "external": 2048, "external_pitch": 1024}
    machine = _machine(STORE.encode(store))
    assert own_fault(machine, 0) is Fault.WINDOW
    assert accesses(machine)[0].writes[WINDOW].tolist() == [*range(512, 516), *range(768, 772)]


def test_an_instructions_own_fault_does_not_look_at_others() -> None:
    beyond = LOAD.encode({"opcode": Opcode.LOAD, **MOVED, "external": 4096})
    machine = _machine(LOAD.encode({"opcode": Opcode.LOAD, **MOVED, "lines": 0}), beyond)
    assert [own_fault(machine, index) for index in range(3)] == [Fault.ILLEGAL_INSTRUCTION, Fault.WINDOW, Fault.NONE]
