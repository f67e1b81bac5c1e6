"""Resident: one load for several programs, states that stay, and what a driver has to say of ENTRY."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from linked_cases import drawn_programs, drawn_turns, turn_differences
from narrows.hw.spec.isa import INSTRUCTION_WORDS
from narrows.hw.spec.registers import Fault, Region, Register, region_address
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile.link import link
from narrows.sw.errors import InputError, ProgramError, ProgramMismatch
from narrows.sw.linked import Linked
from narrows.sw.runtime import Driver, run_sync
from narrows.sw.runtime.feed import feed_of
from narrows.sw.runtime.resident import Resident, run_turns
from narrows.sw.runtime.serving import serving_of
from numpy.typing import NDArray
from random_graphs import CONFIGS, random_levels

CONFIG = dataclasses.replace(CONFIGS["square"], instructions=64, taps=512)


class Counting(IsaTransport):
    """Words written to each region."""

    def __init__(self, config) -> None:
        super().__init__(config)
        self.written = dict.fromkeys(Region, 0)

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        self.written[Region(address >> 22)] += len(values)
        await super().write(address, values)


@pytest.fixture(scope="module")
def linked() -> Linked:
    """Three programs, the second one with states."""
    return link(drawn_programs(CONFIG, 3, 3))


def test_selecting_writes_registers_alone(linked: Linked) -> None:
    transport = Counting(linked.config)
    resident = Resident(transport, linked.config)
    run_sync(resident.load(linked))
    before = dict(transport.written)
    for name in ("program 2", "program 0", "program 1", "program 1"):
        run_sync(resident.select(name))
        [entry] = run_sync(transport.read(Register.ENTRY.offset, 1))
        assert entry == linked[name].entry
    changed = {region: count - before[region] for region, count in transport.written.items()}
    assert {region for region, count in changed.items() if count} == {Region.REGISTERS}


def test_a_stream_goes_on_behind_another_program_and_begins_anew_when_asked(linked: Linked) -> None:
    turns = drawn_turns(linked, 1, (1, 0, 1, 2, 1))
    results = run_sync(run_turns(IsaTransport(linked.config), linked, turns))
    assert turn_differences(linked, turns, results) == []
    resident = Resident(IsaTransport(linked.config), linked.config)
    run_sync(resident.load(linked, "program 1"))
    frame = turns[0].levels[0]
    first, second = (run_sync(resident.driver.infer(frame)).outputs for _ in range(2))
    run_sync(resident.driver.begin())
    again = run_sync(resident.driver.infer(frame)).outputs
    name = next(iter(first))
    np.testing.assert_array_equal(first[name], results[0].outputs[name][0])
    np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first[name], second[name])


def test_a_run_can_be_repeated_up_to_an_instruction(linked: Linked) -> None:
    program = linked["program 2"]
    resident = Resident(IsaTransport(linked.config), linked.config)
    run_sync(resident.load(linked, "program 2"))
    levels = random_levels(program.graph, np.random.default_rng(1))
    whole = run_sync(resident.driver.infer(levels))
    part = run_sync(resident.driver.run_until(0))
    assert 0 < part.cycles < whole.cycles
    assert run_sync(resident.driver.infer(levels)).checksums == whole.checksums


def test_a_fault_names_the_instruction_and_the_layer_of_the_program(linked: Linked) -> None:
    transport, program = IsaTransport(linked.config), linked["program 1"]
    resident = Resident(transport, linked.config)
    run_sync(resident.load(linked, "program 1"))
    place = region_address(linked.config, Region.INSTRUCTIONS, INSTRUCTION_WORDS * (program.entry + 1))
    run_sync(transport.write(place, np.array([7], dtype=np.uint32)))
    levels = random_levels(program.graph, np.random.default_rng(1))
    where = rf"ILLEGAL_INSTRUCTION at instruction {program.entry + 1} \(layer {program.layers[1]}\)"
    with pytest.raises(ProgramError, match=where):
        run_sync(resident.driver.infer(levels))
    assert transport.machine.fault is Fault.NONE


def test_a_program_by_itself_leaves_no_entry_behind(linked: Linked) -> None:
    transport, plain = IsaTransport(linked.config), drawn_programs(CONFIG, 3, 1)["program 0"]
    for program, entry in ((linked["program 2"], linked["program 2"].entry), (plain, 0)):
        driver = Driver(transport, linked.config)
        run_sync(driver.load(program))
        assert transport.machine.entry == entry
        run_sync(driver.infer(random_levels(program.graph, np.random.default_rng(2))))


def test_a_core_that_knows_no_entry_is_refused(linked: Linked) -> None:
    transport = IsaTransport(CONFIG)
    with pytest.raises(ProgramMismatch, match="begins every run at its first instruction: generate it with entry = 1"):
        run_sync(run_turns(transport, linked, drawn_turns(linked, 1, (0, 1))))


def test_frames_select_how_they_are_laid_out_and_streams_are_closed_first() -> None:
    config = dataclasses.replace(CONFIG, frame_bytes=1024, streams=1)
    for seed in range(20):
        linked = link(drawn_programs(config, seed, 2))
        feeds = [feed_of(program, linked.config) for program in linked.values()]
        if all(feeds):
            break
    assert all(feeds)
    transport = Counting(linked.config)
    turns = drawn_turns(linked, 1, (1, 0, 1, 0))
    assert turn_differences(linked, turns, run_sync(run_turns(transport, linked, turns))) == []
    assert transport.written[Region.FEED] > 0
    resident = Resident(IsaTransport(linked.config), linked.config)
    run_sync(resident.load(linked))
    run_sync(resident.driver.serve(serving_of(linked["program 0"], linked.config)))
    with pytest.raises(ValueError, match="stop serving first"):
        run_sync(resident.select("program 1"))
    run_sync(resident.driver.stop_serving())
    run_sync(resident.select("program 1"))


def test_only_what_is_there_is_selected(linked: Linked) -> None:
    resident = Resident(IsaTransport(linked.config), linked.config)
    with pytest.raises(ValueError, match="load programs first"):
        run_sync(resident.select("program 1"))
    run_sync(resident.load(linked))
    with pytest.raises(InputError, match="there is no program 'other'"):
        run_sync(resident.select("other"))
