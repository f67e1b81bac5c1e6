"""LOADs come early, but neither too early nor out of order."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from narrows.hw.spec.isa import Unit
from narrows.sw.compile.prefetch import prefetch
from narrows.sw.compile.tokens import Range, Work


@dataclass(frozen=True)
class Step:
    name: str
    work: Work


def steps(text: str) -> list[Step]:
    """Of names such as ``C0`` (a COMPUTE that reads place 0), ``L0`` (a LOAD of it), ``S0`` (a STORE from it)."""
    units = {"C": Unit.COMPUTE, "L": Unit.LOADER, "S": Unit.STORER}
    made = []
    for name in text.split():
        place = (Range("memory", int(name[1:]), int(name[1:]) + 1),)
        made.append(Step(name, Work(unit=units[name[0]], **{"writes" if name[0] == "L" else "reads": place})))
    return made


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("C0 C1 C2 C3 L9", "C0 C1 L9 C2 C3"),  # two COMPUTEs ahead and no more
        ("C0 L9", "L9 C0"),
        ("C0 C1 C2 L1 C3", "C0 C1 L1 C2 C3"),  # not above one that still reads what it would overwrite
        ("C0 C1 C2 L2 C3", "C0 C1 C2 L2 C3"),
        ("C0 C1 C2 L7 L8 C7", "C0 L7 L8 C1 C2 C7"),  # LOADs keep their order
        ("C0 C1 C2 L8 L1 C8", "C0 L8 C1 L1 C2 C8"),
        ("C0 C1 C2 L4 L5 L6 L7 L8 C9", "C0 L4 L5 L6 L7 C1 L8 C2 C9"),  # four are what the queue holds
        ("C0 C1 S5 L9", "L9 C0 C1 S5"),  # a STORE is no COMPUTE to be ahead of
        ("S5 L9", "S5 L9"),  # but where there is none, nothing is gained
        ("C0 S5 L5", "C0 S5 L5"),
    ],
)
def test_the_place_of_every_load(before: str, after: str) -> None:
    assert " ".join(step.name for step in prefetch(steps(before))) == after
