"""ProgramMutants: legal programs with a few of their instructions, blocks and taps changed at random."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from narrows.hw.spec.isa import BLOCK, INSTRUCTION_WORDS, RECORDS, TAP, IsaError, Opcode, Record, decode_instruction
from narrows.hw.spec.registers import Region
from narrows.sw.program import Program
from numpy.typing import NDArray

from .instruction_words import InstructionDice, flipped

__all__ = ["Change", "ProgramMutants"]

_KINDS = {Region.INSTRUCTIONS: 0.5, Region.BLOCKS: 0.3, Region.TAPS: 0.2}


class Change(NamedTuple):
    """A record that is another one: its memory, its place there, its words before and now."""

    region: Region
    place: int
    before: list[int]
    now: list[int]


class ProgramMutants:
    """Draws mutants of a program.

    Parameters
    ----------
    program : Program
    dice : random.Random
    """

    def __init__(self, program: Program, dice: random.Random) -> None:
        self._dice = dice
        self._drawn = InstructionDice(program.config, dice)
        tables: Mapping[Region, NDArray[np.uint32]] = {
            Region.INSTRUCTIONS: program.instructions.reshape(-1, INSTRUCTION_WORDS),
            Region.BLOCKS: program.blocks,
            Region.TAPS: program.taps,
        }
        self._tables = {region: table.tolist() for region, table in tables.items()}

    def draw(self) -> list[Change]:
        """One change in two of three mutants, else two or three of different records."""
        dice, changes = self._dice, {}
        for _ in range(dice.choice([1, 1, 1, 1, 2, 3])):
            region = dice.choices(list(_KINDS), list(_KINDS.values()))[0]
            place = dice.randrange(len(self._tables[region]))
            before = self._tables[region][place]
            changes[region, place] = Change(region, place, before, self._changed(region, before))
        return list(changes.values())

    def _changed(self, region: Region, words: list[int]) -> list[int]:
        dice, kind = self._dice, self._dice.random()
        if kind < 0.35:
            return flipped(words, dice, dice.choice([1, 1, 1, 2, 4]))
        if kind < 0.45 and region is Region.INSTRUCTIONS:
            return self._drawn.instruction()
        if kind < 0.55:  # another one's words
            return list(dice.choice(self._tables[region]))
        record = self._record(region, words)
        fields, field = dict(record.decode(words)), dice.choice(record.fields)
        fields[field.name] = self._drawn.edge_value(field) if kind < 0.8 else dice.randint(field.low, field.high)
        return record.encode(fields)

    @staticmethod
    def _record(region: Region, words: list[int]) -> Record:
        if region is not Region.INSTRUCTIONS:
            return BLOCK if region is Region.BLOCKS else TAP
        try:
            return RECORDS[decode_instruction(words)[0]]
        except IsaError:
            return RECORDS[Opcode.COMPUTE]
