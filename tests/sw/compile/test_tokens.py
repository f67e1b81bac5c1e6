"""Tokens: what depends waits, whatever the order in time; nothing locks up."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.isa import Opcode, Unit
from narrows.hw.spec.schedule import TOKEN_FLAGS, Schedule
from narrows.sw.compile.tokens import Range, Work, assign_tokens

OPCODES = {Unit.LOADER: Opcode.LOAD, Unit.STORER: Opcode.STORE}


def place(first: int, end: int, memory: str = "m") -> tuple[Range, ...]:
    return (Range(memory, first, end),)


@pytest.mark.parametrize(
    ("earlier", "later", "depends"),
    [
        ({"writes": place(0, 4)}, {"reads": place(3, 5)}, True),
        ({"writes": place(0, 4)}, {"reads": place(4, 5)}, False),
        ({"writes": place(0, 4)}, {"reads": place(0, 4, "other")}, False),
        ({"reads": place(0, 4)}, {"writes": place(0, 1)}, True),
        ({"writes": place(0, 4)}, {"writes": place(0, 1)}, True),
        ({"reads": place(0, 4)}, {"reads": place(0, 4)}, False),
    ],
)
def test_two_units_are_ordered_where_one_writes_what_the_other_uses(earlier, later, depends) -> None:
    program = [Work(unit=Unit.LOADER, **earlier), Work(unit=Unit.COMPUTE, **later)]
    assert assign_tokens(program) == ([{"post_next": 1}, {"wait_prev": 1}] if depends else [{}, {}])


def test_the_ring_closes_between_storer_and_loader() -> None:
    program = [
        Work(unit=Unit.STORER, writes=place(0, 4)),
        Work(unit=Unit.LOADER, reads=place(0, 4)),
        Work(unit=Unit.STORER, writes=place(2, 3)),
    ]
    assert assign_tokens(program) == [
        {"post_next": 1},
        {"wait_prev": 1, "post_prev": 1},
        {"wait_next": 1},
    ]


def test_one_token_is_enough_for_all_that_came_before_it() -> None:
    program = [
        Work(unit=Unit.LOADER, writes=place(0, 4)),
        Work(unit=Unit.LOADER, writes=place(4, 8)),
        Work(unit=Unit.COMPUTE, reads=place(0, 8)),
        Work(unit=Unit.COMPUTE, reads=place(0, 2)),
    ]
    assert assign_tokens(program) == [{}, {"post_next": 1}, {"wait_prev": 1}, {}]


@pytest.mark.parametrize("seed", range(20))
def test_dependent_instructions_never_overlap_in_time(seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = []
    for _ in range(60):
        reads, writes = (place(int(at), int(at) + 3) for at in rng.integers(0, 20, 2))
        program.append(Work(unit=Unit(int(rng.integers(3))), reads=reads, writes=writes))
    schedule, moment = Schedule(), 0
    for index, (work, tokens) in enumerate(zip(program, assign_tokens(program), strict=True)):
        fields = dict.fromkeys(TOKEN_FLAGS, 0) | tokens
        cycles = int(rng.integers(1, 200))
        if work.unit is Unit.COMPUTE:
            moment = schedule.compute(index, fields, moment) + cycles
            schedule.computed(index, fields, moment)
            moment += 1
        else:
            moment = schedule.transfer(OPCODES[work.unit], index, fields, cycles, moment) + 18
    schedule.end(moment)
    for later, work in enumerate(program):
        for earlier in range(later):
            if work.follows(program[earlier]):
                assert schedule.begins[later] > schedule.finishes[earlier], (seed, earlier, later)
