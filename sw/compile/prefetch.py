"""prefetch: LOADs moved up in the program, so that they run beside the COMPUTEs before them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from ...hw.spec.isa import Unit
from ...hw.spec.transfer import QUEUE_DEPTH
from .tokens import Work

__all__ = ["prefetch"]


class _Step(Protocol):
    @property
    def work(self) -> Work: ...


Step = TypeVar("Step", bound=_Step)


def prefetch(steps: Sequence[Step], cycles: Callable[[Step], int], fetch: int) -> list[Step]:
    """The same steps with every LOAD as early as it may come.

    LOADs keep their order, as all units do, and none moves above a step that it depends on. A full queue in front of
    the loader holds up the sequencer: so only as many LOADs come before a COMPUTE as find room while the one before it
    still runs. Where steps take longer or shorter than ``cycles`` says, the program is as right, and may wait longer.

    Parameters
    ----------
    steps : sequence
        In the order of the program.
    cycles : callable
        Cycles that a step takes, roughly.
    fetch : int
        Cycles in which an instruction is fetched.
    """
    order = _Order(steps, cycles, fetch)
    coming = deque(index for index, step in enumerate(steps) if step.work.unit is Unit.LOADER)
    for index, step in enumerate(steps):
        if step.work.unit is Unit.LOADER:
            continue
        while coming and coming[0] < index:
            order.add(coming.popleft())
        if step.work.unit is Unit.COMPUTE:
            start = order.start(index)
            while coming and order.may_follow(coming[0], index) and order.entry() + fetch <= start:
                order.add(coming.popleft())
        order.add(index)
    for index in coming:
        order.add(index)
    return [steps[index] for index in order.placed]


class _Order(Generic[Step]):
    """Steps placed so far, and when each of them ends, in cycles since the first; all but LOADs in their old order."""

    def __init__(self, steps: Sequence[Step], cycles: Callable[[Step], int], fetch: int) -> None:
        self._steps, self._cycles, self._fetch = steps, cycles, fetch
        self.placed: list[int] = []
        self._ends: dict[int, int] = {}
        self._free = dict.fromkeys(Unit, 0)
        self._moment = fetch  # in which the sequencer has the next one
        self._begun: list[int] = []  # LOADs, in their order
        self._needs = [self._followed(index) for index in range(len(steps))]

    def _followed(self, index: int) -> list[int]:
        """Of each unit the last step before this one that it has to wait for."""
        found: dict[Unit, int] = {}
        work = self._steps[index].work
        for earlier in range(index - 1, -1, -1):
            other = self._steps[earlier].work
            if other.unit is not work.unit and other.unit not in found and work.follows(other):
                found[other.unit] = earlier
                if len(found) == len(Unit) - 1:
                    break
        return list(found.values())

    def may_follow(self, load: int, index: int) -> bool:
        """Whether a LOAD may come before a step that is next."""
        return all(needed < index for needed in self._needs[load])

    def entry(self) -> int:
        """When the loader's queue takes the next LOAD."""
        leaver = len(self._begun) - QUEUE_DEPTH
        return max(self._moment, self._begun[leaver] + 1 if leaver >= 0 else 0)

    def start(self, index: int) -> int:
        """When a step begins if it is next."""
        free = self._free[self._steps[index].work.unit]
        return max([self._moment, free, *(self._ends[needed] for needed in self._needs[index])])

    def add(self, index: int) -> None:
        """Place a step."""
        step = self._steps[index]
        unit = step.work.unit
        handed = self.entry() if unit is Unit.LOADER else self._moment
        begin = max(handed, self.start(index))
        if unit is Unit.LOADER:
            self._begun.append(begin)
        elif unit is Unit.COMPUTE:
            handed = begin
        self._moment = handed + self._fetch
        self._ends[index] = self._free[unit] = begin + self._cycles(step)
        self.placed.append(index)
