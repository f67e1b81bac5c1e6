"""Cycle cost of instructions: exact, as the core's counters report it, and a quick estimate for search."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from .config import AcceleratorConfig
from .isa import INSTRUCTION_WORDS, Mode, Opcode

__all__ = [
    "DRAIN_LATENCY",
    "FETCH_CYCLES",
    "HOLD_LATENCY",
    "MAX_POOL_LATENCY",
    "WRITER_LATENCY",
    "ComputeTiming",
    "CycleCount",
    "RunClock",
    "array_latency",
    "compute_cycles",
    "operand_latency",
]

FETCH_CYCLES = INSTRUCTION_WORDS + 2
"""Cycles from the first word fetched to the decision what to do with it."""

DRAIN_LATENCY, MAX_POOL_LATENCY, WRITER_LATENCY = 8, 2, 2
"""Pipeline lengths in cycles: finished sums to granule, last operands to word, granule to memory."""

_READ_LATENCY = 3  # step to access of the activation memory
HOLD_LATENCY = DRAIN_LATENCY - 1 + WRITER_LATENCY - _READ_LATENCY
"""Cycles from the one in which the drain works on a granule to the step that would read while it is written."""

_LONG_AGO = -(1 << 40)  # before anything that an instruction could still wait for


def operand_latency(config: AcceleratorConfig) -> int:
    """Cycles from a step to its operands."""
    return 9 if config.spread else 6


def array_latency(config: AcceleratorConfig) -> int:
    """Cycles from the operands of a tile's last step to its finished sums."""
    return config.product_stage + ((config.lanes - 1).bit_length() - 1) // config.tree_stage + 1


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


class _Jobs(NamedTuple):
    """Moments of the stepper's pipeline, in cycles from the last step issued."""

    fetched: int  # the last block was fetched
    arrived: int  # its record became the waiting job
    before: tuple[int, int]  # the last job but two: taken to run, issued its last step
    previous: tuple[int, int]
    begun: int  # the last job was taken to run
    drained: int  # the last tile is out of the drain's way
    held: tuple[tuple[int, int], ...] = ()  # first and last cycles of stretches without steps, for the drain writes


class _Groups(NamedTuple):
    """The same with the pixel walker's moments."""

    jobs: _Jobs
    collect: int  # the walker began to collect a group
    taken: int  # the first step of the last group was issued


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

    A block is fetched in the cycle after the one before, or later, when that one moves on; its record becomes the
    waiting job when the job before is taken to run; a job is taken with the last step of the one before; then it issues
    a step each cycle. A tile's last step waits until ``drain_cycles`` have passed since the last tile's. With memories
    of a single port no step is issued in the cycles that begin ``write_delay`` after a tile's last step, one for each
    word the drain writes.
    """

    def __init__(
        self,
        drain_cycles: int,
        block_steps: Sequence[int],
        tiles: int,
        *,
        row_cycles: int = 0,
        write_delay: int | None = None,
    ) -> None:
        self._drain_cycles = drain_cycles
        self._block_steps = tuple(block_steps)
        self._tiles = tiles
        self._row_cycles = row_cycles  # of the drain, for a pixel
        self._write_delay = write_delay

    def tile(self, jobs: _Jobs, pixels: int) -> tuple[_Jobs, _Cost, int]:
        """One tile, the cycle of its first step behind it; all count from the last step of the tile before."""
        fetched, arrived, before, previous, begun, drained, held = jobs
        end = stall = 0
        first = None
        last_block = len(self._block_steps) - 1
        for number, steps in enumerate(self._block_steps):
            fetched = max(fetched + 1, arrived)
            arrived = max(fetched + 1, begun)
            before, previous = previous, (begun, end)
            begun = max(arrived + 1, end)
            if first is None:
                first = _issued(begun, 1, held)
            end = _issued(begun, steps, held)
            if number == last_block:
                end = max(end, _issued(drained - 1, 1, held))
                if self._block_steps == (1,):
                    first = end
            stall += end - begun - steps
        if self._write_delay is not None:
            writes = pixels * self._row_cycles
            held = (*held, (end + self._write_delay, end + self._write_delay + writes - 1))
        moved = _Jobs(
            fetched - end,
            arrived - end,
            (before[0] - end, before[1] - end),
            (previous[0] - end, previous[1] - end),
            begun - end,
            self._drain_cycles,
            tuple((start - end, stop - end) for start, stop in held if stop > end),
        )
        assert first is not None, "a tile has a block"
        return moved, _Cost(end, stall), first

    def group(self, state: _Groups, pixels: int) -> tuple[_Groups, _Cost]:
        """All tiles of one pixel group."""
        jobs = state.jobs
        offered = max(state.collect + pixels, state.taken) + 1
        entered = max(offered, jobs.fetched + 1)
        idle = entered - jobs.fetched
        for begun, end in (jobs.before, jobs.previous, (jobs.begun, 0)):
            idle -= max(0, min(end, entered) - max(begun, jobs.fetched))
        jobs, cost, taken = self.tile(jobs._replace(fetched=entered), pixels)
        jobs, rest = _repeat(lambda jobs: self.tile(jobs, pixels)[:2], jobs, self._tiles - 1)
        total = cost.plus(rest).plus(_Cost(stall_walk=idle))
        return _Groups(jobs, offered - total.elapsed, taken - total.elapsed), total

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
    tail : int
        Cycles from the last step to the last word written.
    """

    def __init__(self, config: AcceleratorConfig, fields: Mapping[str, int], block_steps: Sequence[int]) -> None:
        height, width, rows, planes = (fields[name] for name in ("out_height", "out_width", "rows", "planes"))
        tiles = fields["column_groups"]
        is_max = fields["mode"] == Mode.MAX
        per_pixel = planes * (1 if is_max else config.tile_granules)
        if fields["wrap"]:  # all pixels are one line
            height, width = 1, height * width
        self._lines = width, rows, height
        behind = MAX_POOL_LATENCY if is_max else array_latency(config) + DRAIN_LATENCY
        single = config.memories == "single"
        self._stepper = _Stepper(
            -(-rows // config.drain_rows) * per_pixel,
            block_steps,
            tiles,
            row_cycles=per_pixel,
            write_delay=operand_latency(config) + behind + WRITER_LATENCY - _READ_LATENCY if single else None,
        )
        self._issues: dict[int, _Cost] = {}
        self.busy = height * -(-width // rows) * tiles * sum(block_steps)
        last_rows = -(-((width - 1) % rows + 1) // config.drain_rows)
        self.tail = operand_latency(config) + behind + last_rows * per_pixel - 1 + WRITER_LATENCY

    @property
    def alone(self) -> int:
        """Cycles from being handed over to the last word written, when nothing else is under way."""
        return 1 + self.issue(0).elapsed + self.tail

    def issue(self, late: int) -> _Cost:
        """From the cycle in which steps are allowed to the last step; the units begin ``late`` cycles after it."""
        if late not in self._issues:
            never = _LONG_AGO, _LONG_AGO
            # that steps are not yet allowed looks like a job that runs until then, but is no tile
            jobs = _Jobs(late, _LONG_AGO, never, never, _LONG_AGO, _LONG_AGO)
            _, self._issues[late] = self._stepper.lines(_Groups(jobs, late + 1, _LONG_AGO), *self._lines)
        return self._issues[late]


class RunClock:
    """Moments of a run, instruction by instruction, from the rules of the core's sequencer and compute unit.

    An instruction is fetched as soon as the one before is handed out, and a COMPUTE handed over two cycles after the
    last step of the one before at the earliest (with a backing store, after its last write). Without ``prefetch`` it is
    fetched after the last write of the one before. It issues steps when the
    last word of the one before is written. Cycle 0 is the first of the run.

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
        self._fetched = FETCH_CYCLES
        self._issued = 0
        self.written = -1

    def decided(self, opcode: Opcode) -> int:
        """Cycle in which the next instruction is handed out if nothing else holds it up; that of an END is the last."""
        early = self._early and opcode is Opcode.COMPUTE
        return max(self._fetched, self._issued + 2 if early else self.written + 1)

    def hand_out(self, moment: int) -> None:
        """Let a LOAD or STORE be handed out."""
        self._fetched = moment + FETCH_CYCLES

    def compute(self, timing: ComputeTiming, handed: int | None = None) -> CycleCount:
        """Let a COMPUTE be handed over in a cycle, the first possible if it is not given.

        Returns
        -------
        CycleCount
            The cycles are those from the last write of the COMPUTE before, or from the start, to its own.
        """
        handed = self.decided(Opcode.COMPUTE) if handed is None else handed
        begun = handed + 1
        allowed = max(begun, self.written)
        elapsed, stall_drain, stall_walk = timing.issue(begun - allowed)
        before = self.written
        self._issued = allowed + elapsed
        self.written = self._issued + timing.tail
        self._fetched = (handed if self._prefetch else self.written) + FETCH_CYCLES
        return CycleCount(
            cycles=self.written - before, busy=timing.busy, stall_drain=stall_drain, stall_walk=stall_walk
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
    return CycleCount(cycles=tiles * steps + stall + drain + FETCH_CYCLES, busy=tiles * steps, stall_drain=stall)
