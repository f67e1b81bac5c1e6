"""with_early_steps: every COMPUTE says how many steps it may, which saves cycles and changes nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.early import safe_steps
from narrows.hw.spec.isa import BLOCK, COMPUTE, Opcode, blocks_of, decode_instruction
from narrows.hw.spec.registers import Region
from narrows.sim.isa_records import MachineError
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.compile.early import with_early_steps
from narrows.sw.costs.timeline import timeline
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, run_sync
from random_graphs import CONFIGS, GraphBuilder, random_chain

CONFIG = CONFIGS["square"]


def program_of(config: AcceleratorConfig, seed: int) -> Program:
    return compile_graph(random_chain(GraphBuilder(config, np.random.default_rng(seed)), 4), config)


def earlies(program: Program) -> list[int]:
    rows = [decode_instruction(row.tolist()) for row in program.instructions]
    return [fields["early"] for opcode, fields in rows if opcode is Opcode.COMPUTE]


def most(program: Program, fields: Mapping[str, int]) -> int:
    """Steps of an instruction's tile but the last."""
    rows = program.blocks[fields["first_block"] :][: fields["block_count"]]
    blocks = [BLOCK.decode(row.tolist()) for row in rows]
    return min(sum(block["groups"] * block["tap_count"] for block in blocks) - 1, COMPUTE["early"].high)


def without(program: Program) -> Program:
    """The program with no step early."""
    rows = program.instructions.copy()
    for row in rows:
        opcode, fields = decode_instruction(row.tolist())
        if opcode is Opcode.COMPUTE:
            row[:] = COMPUTE.encode({**fields, "early": 0})
    return dataclasses.replace(program, instructions=rows)


@pytest.mark.parametrize("seed", range(8))
def test_each_compute_has_as_many_as_are_safe_and_the_first_none(seed: int) -> None:
    program = program_of(CONFIG, seed)
    computes = []
    for row in program.instructions:
        opcode, fields = decode_instruction(row.tolist())
        if opcode is Opcode.COMPUTE:
            computes.append((fields, blocks_of(fields, program.blocks, program.taps)))
    steps = [sum(block.steps for block in blocks) for _, blocks in computes]
    expected = [
        safe_steps(CONFIG, computes[number - 1][0], steps[number - 1], *computes[number]) if number else 0
        for number in range(len(computes))
    ]
    assert earlies(program) == expected


def test_that_saves_cycles() -> None:
    saved = [
        timeline(without(program)).cycles - timeline(program).cycles
        for program in (program_of(CONFIG, seed) for seed in range(8))
    ]
    assert min(saved) >= 0 and sum(saved) > 100, saved


def test_it_is_the_last_word_however_often_it_is_said() -> None:
    program = program_of(CONFIG, 0)
    tables = program.blocks, program.taps
    assert any(earlies(program))
    again = with_early_steps(CONFIG, without(program).instructions, *tables)
    assert np.array_equal(again, program.instructions)
    assert not any(earlies(without(program))), "what is given is left alone"


def test_more_than_are_safe_are_refused_by_the_model_of_the_machine() -> None:
    for seed in range(8):
        program = program_of(CONFIG, seed)
        transport = IsaTransport(CONFIG)
        driver = Driver(transport, CONFIG)
        run_sync(driver.load(program))
        for index, early in enumerate(earlies(program)):
            rows = program.instructions.copy()
            _, fields = decode_instruction(rows[index].tolist())
            rows[index] = COMPUTE.encode({**fields, "early": COMPUTE["early"].high})
            transport.machine.write_words(Region.INSTRUCTIONS, 0, rows.reshape(-1, 1))
            if index == 0 or early == most(program, fields):
                transport.machine.run()
            else:
                with pytest.raises(MachineError, match=f"instruction {index} lets .* but only {early} read nothing"):
                    transport.machine.run()


@pytest.mark.parametrize("more", [{"prefetch": 0}, {"protection": "parity"}, {"backing": "axi4"}])
def test_cores_that_issue_no_step_early_have_no_such_field(more: dict[str, int]) -> None:
    config = dataclasses.replace(CONFIG, **more)
    assert not config.issues_early
    assert set(earlies(program_of(config, 0))) == {0}
