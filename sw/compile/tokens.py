"""Tokens between the units, from what each instruction reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...hw.spec.isa import Unit

__all__ = ["Range", "Work", "assign_tokens"]


class Range(NamedTuple):
    """Neighbouring places of one memory, the end excluded; the memory may be anything that compares equal to itself."""

    memory: object
    first: int
    end: int

    def meets(self, other: Range) -> bool:
        """Whether the two share a place."""
        return self.memory == other.memory and self.first < other.end and other.first < self.end


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one instruction does to the memories."""

    unit: Unit
    reads: tuple[Range, ...] = ()
    writes: tuple[Range, ...] = ()

    def on(self, port: object) -> Work:
        """The same on memories whose only port a COMPUTE needs in nearly every cycle: no transfer runs beside it."""
        place = (Range(port, 0, 1),)
        if self.unit is Unit.COMPUTE:
            return replace(self, writes=self.writes + place)
        return replace(self, reads=self.reads + place)

    def follows(self, earlier: Work) -> bool:
        """Whether it must not begin before an earlier one is done."""
        return (
            _meet(self.reads, earlier.writes) or _meet(self.writes, earlier.writes) or _meet(self.writes, earlier.reads)
        )


def _meet(some: tuple[Range, ...], others: tuple[Range, ...]) -> bool:
    return any(one.meets(other) for one in some for other in others)


def assign_tokens(program: Sequence[Work]) -> list[dict[str, int]]:
    """Token flags of instructions in program order, so that each begins after those it depends on.

    An instruction that depends on another unit's takes a token from the last such one, unless an earlier instruction of
    its own unit took one from there or from behind it. So the n-th token given is the n-th taken, and since every token
    comes from an instruction earlier in the program, no program made so can lock up.
    """
    flags: list[dict[str, int]] = [{} for _ in program]
    seen = {(taker, giver): -1 for taker in Unit for giver in Unit}
    earlier: dict[Unit, list[int]] = {unit: [] for unit in Unit}
    for index, work in enumerate(program):
        for giver in Unit:
            if giver is work.unit:
                continue
            known = seen[work.unit, giver]
            for candidate in reversed(earlier[giver]):
                if candidate <= known:
                    break
                if work.follows(program[candidate]):
                    behind = (work.unit + 1) % len(Unit) == giver
                    flags[candidate]["post_prev" if behind else "post_next"] = 1
                    flags[index]["wait_next" if behind else "wait_prev"] = 1
                    seen[work.unit, giver] = candidate
                    break
        earlier[work.unit].append(index)
    return flags
