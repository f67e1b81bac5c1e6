"""StepMoments: when the steps of one COMPUTE come, by the rules of the core's stepper and pixel walker."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple, TypeVar

from .pipeline import Pipeline

__all__ = ["LONG_AGO", "Cost", "Groups", "Jobs", "StepMoments"]

LONG_AGO = -(1 << 40)
"""Before anything that an instruction could still wait for."""


class Cost(NamedTuple):
    """What a stretch of an instruction took."""

    elapsed: int = 0
    stall_drain: int = 0
    stall_walk: int = 0

    def plus(self, other: Cost, times: int = 1) -> Cost:
        """This and so many times another."""
        return Cost(*(own + times * more for own, more in zip(self, other, strict=True)))

    def minus(self, other: Cost) -> Cost:
        """This without another."""
        return self.plus(other, -1)


class Jobs(NamedTuple):
    """Moments of the stepper's pipeline, in cycles from the last step issued."""

    fetched: int  # the last block was fetched
    runs: tuple[tuple[int, int], ...]  # the last jobs, oldest first: taken to run, issued its last step
    drained: int  # the last tile is out of the drain's way
    held: tuple[tuple[int, int], ...] = ()  # first and last cycles of stretches without steps, for the drain writes
    allowed: int = LONG_AGO  # the cycle behind which steps are allowed, where a stretch that waits began before
    early: int = 0  # steps of the next tile that do not wait for that
    taken: int = 0  # the cycle before the first in which its first job may be taken


class Groups(NamedTuple):
    """`Jobs` with the pixel walker's moments."""

    jobs: Jobs
    collect: int  # the walker began to collect a group
    taken: int  # the first step of the last group was issued
    free: int = LONG_AGO  # the last pixel of the last group was walked


_State = TypeVar("_State", bound=Hashable)


def _repeat(step: Callable[[_State], tuple[_State, Cost]], state: _State, times: int) -> tuple[_State, Cost]:
    """``step`` applied ``times`` times; as soon as a state comes back, the rest is a multiplication."""
    total = Cost()
    seen: dict[_State, tuple[int, Cost]] = {}
    done = 0
    while done < times:
        if state in seen:
            first, then = seen.pop(state)
            rounds = (times - done) // (done - first)
            total = total.plus(total.minus(then), rounds)
            done += rounds * (done - first)
            seen.clear()
            continue
        seen[state] = done, total
        state, cost = step(state)
        total = total.plus(cost)
        done += 1
    return state, total


def _issued(begun: int, steps: int, held: tuple[tuple[int, int], ...]) -> int:
    """Cycle of the last of so many steps, one a cycle after ``begun`` but none in the stretches ``held``."""
    for start, stop in held:
        if stop > begun and start <= begun + steps:
            steps -= max(0, start - 1 - begun)
            begun = stop
    return begun + steps


class StepMoments:
    """Moments of one instruction's steps, from the rules of the core's stepper and pixel walker.

    A block is fetched in the cycle after the one before, or later, when there is a place for its job again; a job is
    taken when it is there, with the last step of the one before at the earliest; then it issues a step each cycle. The
    first tile's wait until they are allowed, but for those that are early, and so does their job unless it may be taken
    ahead. A tile's last step waits until ``drain_cycles`` have passed since the last tile's. With memories
    of a single port no step is issued in the cycles that begin ``write_delay`` after a tile's last step, one for each
    word the drain writes.
    """

    def __init__(
        self,
        plan: Pipeline,
        drain_cycles: int,
        block_steps: Sequence[int],
        tiles: int,
        *,
        row_cycles: int = 0,
        write_delay: int | None = None,
    ) -> None:
        self._plan = plan
        self._drain_cycles = drain_cycles
        self._block_steps = tuple(block_steps)
        self._tiles = tiles
        self._row_cycles = row_cycles  # of the drain, for a pixel
        self._write_delay = write_delay

    def tile(self, jobs: Jobs, pixels: int) -> tuple[Jobs, Cost, int]:
        """One tile, the cycle of its first step behind it; all count from the last step of the tile before."""
        plan = self._plan
        fetched, runs, drained, held, allowed, early, end = jobs
        stall = 0
        first = None
        last_block = len(self._block_steps) - 1
        for number, steps in enumerate(self._block_steps):
            fetched = max(fetched + 1, runs[-plan.jobs][0] + plan.credit)
            ahead, early = min(early, steps), max(0, early - steps)
            begun = max(fetched + plan.fetch, end)
            waits_until = begun + ahead if ahead == steps else max(begun + ahead, 0)
            if first is None:
                first = begun + 1 if ahead else _issued(waits_until, 1, held)
            end = _issued(waits_until, steps - ahead, held)
            if number == last_block:
                end = max(end, _issued(drained - 1, 1, held))
                if self._block_steps == (1,):
                    first = end
            # while steps wait to be allowed, cycles are counted for nothing; behind that, all without a step
            counted = max(begun, 0)
            stall += max(end, 0) - counted - max(0, begun + ahead - counted) - (steps - ahead)
            runs = (*runs[1:], (begun, end))
        if self._write_delay is not None:
            writes = pixels * self._row_cycles
            held = (*held, (end + self._write_delay, end + self._write_delay + writes - 1))
        moved = Jobs(
            fetched - end,
            tuple((begun - end, last - end) for begun, last in runs),
            self._drain_cycles,
            tuple((start - end, stop - end) for start, stop in held if stop > end),
            allowed - end if allowed > fetched else LONG_AGO,
        )
        assert first is not None, "a tile has a block"
        return moved, Cost(end, stall), first

    def group(self, state: Groups, pixels: int) -> tuple[Groups, Cost]:
        """All tiles of one pixel group."""
        jobs = state.jobs
        walked = state.collect + pixels
        offered = max(walked, state.taken + self._plan.group) + 1
        entered = max(offered, jobs.fetched + 1)
        since = max(jobs.fetched, jobs.allowed)
        idle = max(0, entered - since)
        for begun, end in jobs.runs:
            idle -= max(0, min(end, entered) - max(begun, since))
        jobs, cost, taken = self.tile(jobs._replace(fetched=entered), pixels)
        jobs, rest = _repeat(lambda jobs: self.tile(jobs, pixels)[:2], jobs, self._tiles - 1)
        total = cost.plus(rest).plus(Cost(stall_walk=idle))
        return Groups(jobs, *(moment - total.elapsed for moment in (offered, taken, walked))), total

    def groups(self, state: Groups, pixels: int, times: int) -> tuple[Groups, Cost]:
        """So many pixel groups of the same size."""
        return _repeat(lambda state: self.group(state, pixels), state, times)

    def lines(self, state: Groups, width: int, rows: int, times: int) -> tuple[Groups, Cost]:
        """Lines of ``width`` pixels in groups of ``rows``, the last group of each whatever is left."""

        def line(state: Groups) -> tuple[Groups, Cost]:
            state, cost = self.groups(state, rows, (width - 1) // rows)
            state, last = self.group(state, (width - 1) % rows + 1)
            return state, cost.plus(last)

        return _repeat(line, state, times)
