"""prefetch: LOADs moved up in the program, so that they run beside the COMPUTEs before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from ...hw.spec.isa import Unit
from ...hw.spec.transfer import QUEUE_DEPTH
from .tokens import Work

__all__ = ["prefetch"]

_COMPUTES_AHEAD = 2  # further ahead, a LOAD would only fill the queue that nearer ones need


class _Step(Protocol):
    @property
    def work(self) -> Work: ...


Step = TypeVar("Step", bound=_Step)


def prefetch(steps: Sequence[Step]) -> list[Step]:
    """The same steps with every LOAD as early as it may come.

    LOADs keep their order, as all units do; none moves above a step that it depends on, nor so far that the loader's
    queue would hold up the COMPUTEs between.
    """
    moved: list[Step] = []
    for step in steps:
        place = len(moved)
        if step.work.unit is Unit.LOADER:
            computes = 0
            best = place
            while place and moved[place - 1].work.unit is not Unit.LOADER:
                before = moved[place - 1].work
                if step.work.follows(before):
                    break
                computes += before.unit is Unit.COMPUTE
                if computes > _COMPUTES_AHEAD:
                    break
                place -= 1
                if before.unit is Unit.COMPUTE and _queued(moved, place) < QUEUE_DEPTH:
                    best = place
            place = best
        moved.insert(place, step)
    return moved


def _queued(steps: Sequence[_Step], place: int) -> int:
    """LOADs handed out in front of a place since the last COMPUTE."""
    count = 0
    while place and steps[place - 1].work.unit is not Unit.COMPUTE:
        place -= 1
        count += steps[place].work.unit is Unit.LOADER
    return count
