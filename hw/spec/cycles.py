"""Cycle cost of instructions: exact, as the core's counters report it, and a quick estimate for search."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from .config import AcceleratorConfig
from .isa import INSTRUCTION_WORDS, Mode, Opcode
from .pipeline import Pipeline, pipeline

__all__ = [
    "ComputeTiming",
    "CycleCount",
    "Front",
    "RunClock",
    "Walker",
    "compute_cycles",
    "fetch_cycles",
    "hold_cycles",
    "word_hold_cycles",
]

_LONG_AGO = -(1 << 40)  # before anything that an instruction could still wait for


def fetch_cycles(config: AcceleratorConfig) -> int:
    """Cycles from the one before an instruction's first word is asked for to the decision what to do with it."""
    plan = pipeline(config)
    return 1 + INSTRUCTION_WORDS + plan.instruction_read + plan.decode


def hold_cycles(config: AcceleratorConfig) -> int:
    """Cycles from the one in which the drain works on a granule to the step that would read while it is written."""
    plan = pipeline(config)
    return plan.drain - plan.capture + plan.writer + plan.to_banks - plan.access


def word_hold_cycles(config: AcceleratorConfig) -> int:
    """Cycles from the one before the step that would read while a max-pool's word is written, to that in which the word
    leaves the max-pool unit."""
    plan = pipeline(config)
    return 1 + plan.access - plan.writer - plan.to_banks


@dataclass(frozen=True, kw_only=True)
class CycleCount:
    """Cycles of an instruction or a run, as the counters of `registers.Register` report them."""

    cycles: int = 0
    busy: int = 0
    stall_drain: int = 0
    stall_walk: int = 0
    stall_load: int = 0
    stall_store: int = 0
    stall_token: int = 0

    def __add__(self, other: CycleCount) -> CycleCount:
        return CycleCount(
            cycles=self.cycles + other.cycles,
            busy=self.busy + other.busy,
            stall_drain=self.stall_drain + other.stall_drain,
            stall_walk=self.stall_walk + other.stall_walk,
            stall_load=self.stall_load + other.stall_load,
            stall_store=self.stall_store + other.stall_store,
            stall_token=self.stall_token + other.stall_token,
        )


class _Cost(NamedTuple):
    """What a stretch of an instruction took."""

    elapsed: int = 0
    stall_drain: int = 0
    stall_walk: int = 0

    def plus(self, other: _Cost, times: int = 1) -> _Cost:
        return _Cost(*(own + times * more for own, more in zip(self, other, strict=True)))

    def minus(self, other: _Cost) -> _Cost:
        return self.plus(other, -1)


class Walker(NamedTuple):
    """Moments of the pixel walker with an image, in cycles."""

    free: int = _LONG_AGO  # all its pixels are walked
    offered: int = _LONG_AGO  # its last group is offered
    taken: int = _LONG_AGO  # the first step of that is issued


class Front(NamedTuple):
    """When what is in front of the array gets to work on a COMPUTE, in cycles from the one behind which steps are
    allowed."""

    late: int  # it is handed over in the cycle before
    walker: Walker  # with the COMPUTE before
    shown: int  # its image is there
    early: int = 0  # steps that come before they are allowed, if they can


class _Jobs(NamedTuple):
    """Moments of the stepper's pipeline, in cycles from the last step issued."""

    fetched: int  # the last block was fetched
    runs: tuple[tuple[int, int], ...]  # the last jobs, oldest first: taken to run, issued its last step
    drained: int  # the last tile is out of the drain's way
    held: tuple[tuple[int, int], ...] = ()  # first and last cycles of stretches without steps, for the drain writes
    allowed: int = _LONG_AGO  # the cycle behind which steps are allowed, where a stretch that waits began before
    early: int = 0  # steps of the next tile that do not wait for that
    taken: int = 0  # the cycle before the first in which its first job may be taken


class _Groups(NamedTuple):
    """The same with the pixel walker's moments."""

    jobs: _Jobs
    collect: int  # the walker began to collect a group
    taken: int  # the first step of the last group was issued
    free: int = _LONG_AGO  # the last pixel of the last group was walked


_State = TypeVar("_State", bound=Hashable)


def _repeat(step: Callable[[_State], tuple[_State, _Cost]], state: _State, times: int) -> tuple[_State, _Cost]:
    """``step`` applied ``times`` times; as soon as a state comes back, the rest is a multiplication."""
    total = _Cost()
    seen: dict[_State, tuple[int, _Cost]] = {}
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


class _Stepper:
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

    def tile(self, jobs: _Jobs, pixels: int) -> tuple[_Jobs, _Cost, int]:
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
        moved = _Jobs(
            fetched - end,
            tuple((begun - end, last - end) for begun, last in runs),
            self._drain_cycles,
            tuple((start - end, stop - end) for start, stop in held if stop > end),
            allowed - end if allowed > fetched else _LONG_AGO,
        )
        assert first is not None, "a tile has a block"
        return moved, _Cost(end, stall), first

    def group(self, state: _Groups, pixels: int) -> tuple[_Groups, _Cost]:
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
        total = cost.plus(rest).plus(_Cost(stall_walk=idle))
        return _Groups(jobs, *(moment - total.elapsed for moment in (offered, taken, walked))), total

    def groups(self, state: _Groups, pixels: int, times: int) -> tuple[_Groups, _Cost]:
        """So many pixel groups of the same size."""
        return _repeat(lambda state: self.group(state, pixels), state, times)

    def lines(self, state: _Groups, width: int, rows: int, times: int) -> tuple[_Groups, _Cost]:
        """Lines of ``width`` pixels in groups of ``rows``, the last group of each whatever is left."""

        def line(state: _Groups) -> tuple[_Groups, _Cost]:
            state, cost = self.groups(state, rows, (width - 1) // rows)
            state, last = self.group(state, (width - 1) % rows + 1)
            return state, cost.plus(last)

        return _repeat(line, state, times)


class ComputeTiming:
    """Cycles of one COMPUTE, whenever it may begin.

    Parameters
    ----------
    config : AcceleratorConfig
    fields : mapping
        Fields of the instruction (`isa.COMPUTE`) that the core executes without a fault.
    block_steps : sequence of int
        Words read by each block for one tile: ``groups * tap_count``.

    Attributes
    ----------
    busy : int
        Steps issued.
    tile : int
        Those of one tile.
    tail : int
        Cycles from the last step to the last word written.
    early : int
        Steps that may come before the COMPUTE before has written its last word.
    """

    def __init__(self, config: AcceleratorConfig, fields: Mapping[str, int], block_steps: Sequence[int]) -> None:
        height, width, rows, planes = (fields[name] for name in ("out_height", "out_width", "rows", "planes"))
        tiles = fields["column_groups"]
        is_max = fields["mode"] == Mode.MAX
        per_pixel = planes * (1 if is_max else config.tile_granules)
        if fields["wrap"]:  # all pixels are one line
            height, width = 1, height * width
        self._lines = width, rows, height
        plan = pipeline(config)
        self._plan = plan
        behind = plan.results(is_max=is_max)
        single = config.memories == "single"
        self._stepper = _Stepper(
            plan,
            -(-rows // config.drain_rows) * per_pixel,
            block_steps,
            tiles,
            row_cycles=per_pixel,
            write_delay=behind + plan.to_banks - plan.access if single else None,
        )
        self._issues: dict[Front, tuple[_Cost, Walker]] = {}
        self._takes_ahead = config.issues_early
        self.tile = sum(block_steps)
        self.early = min(fields["early"], self.tile - 1) if config.issues_early else 0
        self.busy = height * -(-width // rows) * tiles * self.tile
        last_rows = -(-((width - 1) % rows + 1) // config.drain_rows)
        self.tail = behind + last_rows * per_pixel - 1

    def issue(self, front: Front) -> tuple[_Cost, Walker]:
        """From the cycle behind which steps are allowed to the last step, and what the pixel walker did, in cycles from
        then."""
        if front not in self._issues:
            jobs = _Jobs(
                front.late,
                ((_LONG_AGO, _LONG_AGO),) * (self._plan.jobs + 1),
                _LONG_AGO,
                allowed=0,
                early=front.early,
                taken=_LONG_AGO if self._takes_ahead else 0,
            )
            collect = max(max(front.shown, front.walker.free) + 1, front.walker.offered)
            groups, cost = self._stepper.lines(_Groups(jobs, collect, front.walker.taken), *self._lines)
            moments = groups.free, groups.collect, groups.taken
            self._issues[front] = cost, Walker(*(moment + cost.elapsed for moment in moments))
        return self._issues[front]


class RunClock:
    """Moments of a run, instruction by instruction, from the rules of the core's sequencer and compute unit.

    An instruction is fetched as soon as the one before is handed out, and a COMPUTE handed over two cycles after the
    last step of the one before at the earliest (with a backing store, after its last write; LOADs and STOREs are handed
    out while one runs). Without ``prefetch`` it is fetched after the last write of the one before. Its pixels are
    walked as soon as it is known to be legal and those of the one before are walked. It issues steps once the last word
    of the one before is written; where the configuration issues early, the writer's cycles before that, and its early
    steps as soon as they can come. Cycle 0 is the first of the run.

    Parameters
    ----------
    config : AcceleratorConfig

    Attributes
    ----------
    written : int
        Cycle in which the last COMPUTE wrote its last word.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._early = not config.has_backing
        self._prefetch = bool(config.prefetch)
        self._plan, self._fetch = pipeline(config), fetch_cycles(config)
        self._fetched = self._fetch
        self._lead = self._plan.writer if config.issues_early else 0
        self._issued = 0
        self._walker = Walker()
        self.written = -1

    def decided(self, opcode: Opcode) -> int:
        """Cycle in which the next instruction is handed out if nothing else holds it up; that of an END is the last."""
        if opcode in (Opcode.LOAD, Opcode.STORE):
            return self._fetched
        early = self._early and opcode is Opcode.COMPUTE
        return max(self._fetched, self._issued + self._plan.finish + 2 if early else self.written + 1)

    def hand_out(self, moment: int) -> None:
        """Let a LOAD or STORE be handed out."""
        self._fetched = moment + self._fetch

    def allowed(self, handed: int) -> int:
        """Cycle behind which a COMPUTE that is handed over in a cycle issues its steps."""
        return max(handed + 1, self.written - self._lead) + self._plan.release

    def front(self, timing: ComputeTiming, handed: int) -> Front:
        """What is in front of the array of a COMPUTE that is handed over in a cycle."""
        allowed = self.allowed(handed)
        walker = Walker(*(max(moment - allowed, _LONG_AGO) for moment in self._walker))
        return Front(handed + 1 - allowed, walker, self._fetched + 1 - allowed, timing.early)

    def compute(self, timing: ComputeTiming, handed: int | None = None) -> CycleCount:
        """Let a COMPUTE be handed over in a cycle, the first possible if it is not given.

        Returns
        -------
        CycleCount
            The cycles are those from the last write of the COMPUTE before, or from the start, to its own.
        """
        handed = self.decided(Opcode.COMPUTE) if handed is None else handed
        allowed = self.allowed(handed)
        cost, walker = timing.issue(self.front(timing, handed))
        before = self.written
        self._walker = Walker(*(allowed + moment for moment in walker))
        self._issued = allowed + cost.elapsed
        self.written = self._issued + timing.tail
        self._fetched = (handed if self._prefetch else self.written) + self._fetch
        return CycleCount(
            cycles=self.written - before, busy=timing.busy, stall_drain=cost.stall_drain, stall_walk=cost.stall_walk
        )

    def end(self) -> CycleCount:
        """Cycles from the last write to the end of the run."""
        return CycleCount(cycles=self.decided(Opcode.END) - self.written)


def compute_cycles(config: AcceleratorConfig, fields: Mapping[str, int], steps: int) -> CycleCount:
    """Quick estimate of the cycles of one COMPUTE, for choosing between layouts.

    A tile takes its steps, or as long as the tile before it drains if that is longer.

    Parameters
    ----------
    config : AcceleratorConfig
    fields : mapping
        Fields of the instruction (`isa.COMPUTE`).
    steps : int
        Words read for one tile: the sum of ``groups * tap_count`` over its blocks.
    """
    height, width = fields["out_height"], fields["out_width"]
    rows = max(fields["rows"], 1)  # a core refuses 0; the host still has to set its watchdog
    groups = -(-height * width // rows) if fields["wrap"] else height * -(-width // rows)
    tiles = groups * fields["column_groups"]
    drain = (
        -(-rows // config.drain_rows) * fields["planes"] * (config.tile_granules if fields["mode"] == Mode.MAC else 1)
    )
    stall = tiles * (drain if config.memories == "single" else max(0, drain - steps))
    cycles = tiles * steps + stall + drain + fetch_cycles(config)
    return CycleCount(cycles=cycles, busy=tiles * steps, stall_drain=stall)
