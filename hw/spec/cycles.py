"""Cycle cost of instructions: exact, as the core's counters report it, and a quick estimate for search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .config import AcceleratorConfig
from .isa import INSTRUCTION_WORDS, Mode, Opcode
from .pipeline import pipeline
from .step_moments import LONG_AGO, Cost, Groups, Jobs, StepMoments

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


class Walker(NamedTuple):
    """Moments of the pixel walker with an image, in cycles."""

    free: int = LONG_AGO  # all its pixels are walked
    offered: int = LONG_AGO  # its last group is offered
    taken: int = LONG_AGO  # the first step of that is issued


class Front(NamedTuple):
    """When what is in front of the array gets to work on a COMPUTE, in cycles from the one behind which steps are
    allowed."""

    late: int  # it is handed over in the cycle before
    walker: Walker  # with the COMPUTE before
    shown: int  # its image is there
    early: int = 0  # steps that come before they are allowed, if they can


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
        self._stepper = StepMoments(
            plan,
            -(-rows // config.drain_rows) * per_pixel,
            block_steps,
            tiles,
            row_cycles=per_pixel,
            write_delay=behind + plan.to_banks - plan.access if single else None,
        )
        self._issues: dict[Front, tuple[Cost, Walker]] = {}
        self._takes_ahead = config.issues_early
        self.tile = sum(block_steps)
        self.early = min(fields["early"], self.tile - 1) if config.issues_early else 0
        self.busy = height * -(-width // rows) * tiles * self.tile
        last_rows = -(-((width - 1) % rows + 1) // config.drain_rows)
        self.tail = behind + last_rows * per_pixel - 1

    def issue(self, front: Front) -> tuple[Cost, Walker]:
        """From the cycle behind which steps are allowed to the last step, and what the pixel walker did, in cycles from
        then."""
        if front not in self._issues:
            jobs = Jobs(
                front.late,
                ((LONG_AGO, LONG_AGO),) * (self._plan.jobs + 1),
                LONG_AGO,
                allowed=0,
                early=front.early,
                taken=LONG_AGO if self._takes_ahead else 0,
            )
            collect = max(max(front.shown, front.walker.free) + 1, front.walker.offered)
            groups, cost = self._stepper.lines(Groups(jobs, collect, front.walker.taken), *self._lines)
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
        walker = Walker(*(max(moment - allowed, LONG_AGO) for moment in self._walker))
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
