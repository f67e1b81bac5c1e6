"""LOADs come early, but neither too early nor out of order."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from narrows.hw.spec.isa import Unit
from narrows.sw.compile.prefetch import prefetch
from narrows.sw.compile.tokens import Range, Work

FETCH = 10


@dataclass(frozen=True)
class Step:
    name: str
    work: Work
    cycles: int


def steps(text: str) -> list[Step]:
    """Of names such as ``C0`` (a COMPUTE that reads place 0), ``L0`` (a LOAD of it), ``S0`` (a STORE from it), with
    ``:1000`` behind those that do not take 100 cycles."""
    units = {"C": Unit.COMPUTE, "L": Unit.LOADER, "S": Unit.STORER}
    made = []
    for word in text.split():
        name, _, cycles = word.partition(":")
        place = (Range("memory", int(name[1:]), int(name[1:]) + 1),)
        work = Work(unit=units[name[0]], **{"writes" if name[0] == "L" else "reads": place})
        made.append(Step(name, work, int(cycles or 100)))
    return made


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("C0 L9", "C0 L9"),  # nothing to run beside but what would wait for it
        ("C0 C1 L9", "C0 L9 C1"),
        ("C0 C1 C2 C3 L9", "C0 L9 C1 C2 C3"),  # as early as it may
        ("L0 C0 L1 C1", "L0 L1 C0 C1"),  # while the first one waits for its own
        ("C0 C1 C2 L1 C3", "C0 C1 L1 C2 C3"),  # not above one that still reads what it would overwrite
        ("C0 C1 C2 L2 C3", "C0 C1 C2 L2 C3"),
        ("C0 C1 C2 L8 L1 C8", "C0 L8 C1 L1 C2 C8"),  # LOADs keep their order
        ("C0:25 C1 L4 L5 L6 C9", "C0 L4 C1 L5 L6 C9"),  # there is no time to fetch more
        ("C0 C1 S5 L9", "C0 L9 C1 S5"),  # a STORE is no COMPUTE to be ahead of
        ("S5 L9", "S5 L9"),
        ("C0 S5 L5", "C0 S5 L5"),
    ],
)
def test_the_place_of_every_load(before: str, after: str) -> None:
    assert " ".join(step.name for step in prefetch(steps(before), lambda step: step.cycles, FETCH)) == after


@pytest.mark.parametrize(("cycles", "ahead"), [(100, 9), (170, 16), (220, 18), (1000, 26)])
def test_a_queue_that_is_full_holds_up_no_compute(cycles: int, ahead: int) -> None:
    """LOADs of 100 cycles each are fetched in ten; beside the one at work 16 wait."""
    loads = [f"L{number}" for number in range(2, 32)]
    placed = [step.name for step in prefetch(steps(f"C0:{cycles} C1 {' '.join(loads)}"), lambda s: s.cycles, FETCH)]
    assert placed == ["C0", *loads[:ahead], "C1", *loads[ahead:]]
