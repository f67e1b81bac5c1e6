"""survey: what of a program its driver has to know before it runs."""

from __future__ import annotations

from typing import NamedTuple

from ...hw.spec.cycles import CycleCount, compute_cycles
from ...hw.spec.isa import BLOCK, Opcode, decode_instruction
from ...hw.spec.transfer import line_bytes
from ..errors import ProgramError
from ..program import Program

__all__ = ["WATCHDOG_SLACK", "Survey", "survey"]

WATCHDOG_SLACK = 10_000
"""Cycles that every run may take beside what its program should."""

_WATCHDOG_FACTOR = 4
_LINE_CYCLES = 1000  # of a line moved, beside a cycle for every byte


class Survey(NamedTuple):
    """Indices of a program's COMPUTEs and of its first END, and the watchdog's limit: several times what it takes."""

    computes: frozenset[int]
    end: int
    limit: int


def survey(program: Program) -> Survey:
    """Look a program through; ProgramError if it never ends."""
    total, moved = CycleCount(), 0
    computes = []
    for index, words in enumerate(program.instructions):
        opcode, fields = decode_instruction(words.tolist())
        if opcode is Opcode.END:
            return Survey(frozenset(computes), index, _WATCHDOG_FACTOR * (total.cycles + moved) + WATCHDOG_SLACK)
        if opcode is Opcode.COMPUTE:
            computes.append(index)
            blocks = program.blocks[fields["first_block"] :][: fields["block_count"]]
            records = [BLOCK.decode(block.tolist()) for block in blocks]
            steps = sum(record["groups"] * record["tap_count"] for record in records)
            total += compute_cycles(program.config, fields, steps)
        else:
            moved += fields["lines"] * (_LINE_CYCLES + line_bytes(program.config, fields))
    raise ProgramError("the program has no END: compile the model again")
