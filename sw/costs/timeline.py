"""timeline: when each unit of a core works on which instruction of a program, from the cycle model."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.cycles import ComputeTiming, CycleCount, Front, RunClock
from ...hw.spec.isa import BLOCK, Mode, Opcode, decode_instruction
from ...hw.spec.pipeline import pipeline
from ...hw.spec.schedule import Schedule
from ...hw.spec.transfer import line_bytes
from ...hw.spec.transfer_cycles import BusTiming, transfer_cycles
from ..program import Program

__all__ = ["Row", "Slice", "Step", "Timeline", "timeline"]


class Row(enum.StrEnum):
    """What works: the loader, the array of multiply-accumulate units, the rescalers behind it, and so on."""

    LOADER = "loader"
    ARRAY = "array"
    RESCALER = "rescaler"
    MAX_POOL = "max-pool"
    STORER = "storer"


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A stretch of cycles, ``end`` excluded, in which a unit works on instruction ``index``."""

    row: Row
    index: int
    begin: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """One instruction of a run.

    ``counts`` of a COMPUTE are the cycles from the last write of the COMPUTE before to its own, with the cycles that
    the sequencer waited in between; those of a LOAD or STORE are empty. ``begin`` and ``end`` (excluded) are the cycles
    of all its units together. ``moved`` are bytes on the bus.
    """

    index: int
    opcode: Opcode
    layer: str
    fields: Mapping[str, int]
    begin: int
    end: int
    counts: CycleCount = field(default_factory=CycleCount)
    moved: int = 0


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """A run of ``cycles`` cycles: its instructions in program order, and what each unit does."""

    steps: tuple[Step, ...]
    slices: tuple[Slice, ...]
    cycles: int


def timeline(program: Program, bus: BusTiming | None = None) -> Timeline:
    """The run of a program, in cycles since START.

    Parameters
    ----------
    program : Program
    bus : BusTiming, optional
        Of the bus to the backing store, where there is one.

    Raises
    ------
    DeadlockError
        If an instruction waits for a token that never comes.
    """
    config, bus = program.config, bus or BusTiming()
    clock, schedule = RunClock(config), Schedule()
    steps: list[Step] = []
    slices: list[Slice] = []
    waited = CycleCount()
    for index, (words, layer) in enumerate(zip(program.instructions, program.layers, strict=True)):
        opcode, fields = decode_instruction(words.tolist())
        decided = clock.decided(opcode)
        if opcode is Opcode.END:
            break
        if opcode is Opcode.COMPUTE:
            block_steps = _block_steps(program, fields)
            timing = ComputeTiming(config, fields, block_steps)
            handed = schedule.compute(index, fields, decided)
            allowed, front, before = clock.allowed(handed), clock.front(timing, handed), clock.written
            counts = clock.compute(timing, handed)
            schedule.computed(index, fields, clock.written)
            stalls = _stalls(schedule)
            counts, waited = counts + _minus(stalls, waited), stalls
            working = _working(config, index, fields, block_steps, allowed, front, clock.written)
            # what comes before belongs to the COMPUTE that still drains
            working = tuple(replace(part, begin=max(part.begin, before + 1)) for part in working)
            slices += working
            begin, end = working[0].begin, clock.written + 1
            steps.append(
                Step(index=index, opcode=opcode, layer=layer, fields=fields, begin=begin, end=end, counts=counts)
            )
        else:
            clock.hand_out(
                schedule.transfer(
                    opcode, index, fields, transfer_cycles(config, opcode, fields, bus), decided, clock.written + 1
                )
            )
            moved = fields["lines"] * line_bytes(config, fields)
            steps.append(Step(index=index, opcode=opcode, layer=layer, fields=fields, begin=0, end=0, moved=moved))
    last = schedule.end(clock.decided(Opcode.END))
    done: list[Step] = []
    for step in steps:
        if step.opcode is not Opcode.COMPUTE:  # only now is it known when its tokens came
            step = replace(step, begin=schedule.begins[step.index], end=schedule.finishes[step.index] + 1)
            row = Row.LOADER if step.opcode is Opcode.LOAD else Row.STORER
            slices.append(Slice(row=row, index=step.index, begin=step.begin, end=step.end))
        done.append(step)
    return Timeline(
        steps=tuple(done), slices=tuple(sorted(slices, key=lambda item: (item.begin, item.index))), cycles=last + 1
    )


def _block_steps(program: Program, fields: Mapping[str, int]) -> list[int]:
    rows = program.blocks[fields["first_block"] :][: fields["block_count"]]
    blocks = [BLOCK.decode(row.tolist()) for row in rows]
    return [block["groups"] * block["tap_count"] for block in blocks]


def _working(
    config: AcceleratorConfig,
    index: int,
    fields: Mapping[str, int],
    block_steps: list[int],
    allowed: int,
    front: Front,
    written: int,
) -> Iterator[Slice]:
    """Slices of a COMPUTE: of the array until its last sums are finished, of the rescalers from the first sums on.

    Steps are allowed behind cycle ``allowed``; early ones are not drawn.
    """
    maximum = fields["mode"] == Mode.MAX
    if maximum:
        yield Slice(row=Row.MAX_POOL, index=index, begin=allowed, end=written + 1)
        return
    plan = pipeline(config)
    behind = plan.operands + plan.array
    pixels = fields["out_height"] * fields["out_width"] if fields["wrap"] else fields["out_width"]
    one_tile = {
        **fields,
        "out_height": 1,
        "out_width": min(fields["rows"], pixels),
        "column_groups": 1,
    }
    first = allowed + ComputeTiming(config, one_tile, block_steps).issue(front)[0].elapsed
    last = written - ComputeTiming(config, fields, block_steps).tail
    yield Slice(row=Row.ARRAY, index=index, begin=allowed, end=last + behind)
    yield Slice(row=Row.RESCALER, index=index, begin=first + behind, end=written + 1)


def _stalls(schedule: Schedule) -> CycleCount:
    return CycleCount(
        stall_load=schedule.stall_load, stall_store=schedule.stall_store, stall_token=schedule.stall_token
    )


def _minus(after: CycleCount, before: CycleCount) -> CycleCount:
    return CycleCount(
        stall_load=after.stall_load - before.stall_load,
        stall_store=after.stall_store - before.stall_store,
        stall_token=after.stall_token - before.stall_token,
    )
