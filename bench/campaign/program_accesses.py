"""Accesses of a program's instructions: what each reads and writes, and which of them no token orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from narrows.hw.spec.isa import INSTRUCTION_WORDS, IsaError, Mode, Opcode, Unit, decode_instruction
from narrows.hw.spec.registers import Fault, Region
from narrows.hw.spec.transfer import line_bytes, line_starts
from narrows.sim.isa_backing import chip_words
from narrows.sim.isa_mac import MacPlan, plan_mac, weight_words
from narrows.sim.isa_max import MaxPlan, plan_max
from narrows.sim.isa_model import IsaMachine
from narrows.sim.isa_records import fault_of, fetch_blocks
from numpy.typing import NDArray

__all__ = ["WINDOW", "Access", "accesses", "instructions_of", "own_fault", "race"]

WINDOW = Region.REGISTERS
"""Stands for the window on the backing store, whose places are its words of 32 bits."""

_UNITS = {Opcode.LOAD: Unit.LOADER, Opcode.COMPUTE: Unit.COMPUTE, Opcode.STORE: Unit.STORER}
_Places = dict[Region, NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Access:
    """Places that an instruction reads and writes, by memory."""

    unit: Unit
    fields: Mapping[str, int]
    reads: _Places = field(default_factory=dict)
    writes: _Places = field(default_factory=dict)

    def conflicts(self, other: Access) -> bool:
        """Whether one of the two writes what the other reads or writes."""
        pairs = ((self.writes, other.writes), (self.writes, other.reads), (self.reads, other.writes))
        return any(
            region in theirs and np.intersect1d(places, theirs[region]).size
            for ours, theirs in pairs
            for region, places in ours.items()
        )


def instructions_of(machine: IsaMachine) -> Iterator[tuple[int, Opcode, Mapping[str, int]]]:
    """Instructions from the entry on, to END or to one that the decoder refuses, which does not come."""
    words = machine.read_words(Region.INSTRUCTIONS, 0, machine.config.instructions * INSTRUCTION_WORDS)
    for index, row in enumerate(words.reshape(-1, INSTRUCTION_WORDS)):
        if index < machine.entry:
            continue
        try:
            opcode, fields = decode_instruction(row.tolist())
        except IsaError:
            return
        if opcode is Opcode.END or fault_of(machine.config, opcode, fields) is not Fault.NONE:
            return
        yield index, opcode, fields


def own_fault(machine: IsaMachine, index: int) -> Fault:
    """The fault of an instruction, whatever stands before it."""
    row = machine.read_words(Region.INSTRUCTIONS, index * INSTRUCTION_WORDS, INSTRUCTION_WORDS)[:, 0]
    try:
        opcode, fields = decode_instruction(row.tolist())
    except IsaError:
        return Fault.ILLEGAL_INSTRUCTION
    fault = fault_of(machine.config, opcode, fields)
    if fault is Fault.NONE and opcode in (Opcode.LOAD, Opcode.STORE) and machine.backing is not None:
        return machine.backing.fault_of(fields)
    return fault


def accesses(machine: IsaMachine) -> dict[int, Access]:
    """Accesses of the program in a machine, by index; a COMPUTE that the core refuses has none, and no transfer moves
    lines beyond the window.

    Raises
    ------
    MachineError
        If an instruction breaks a rule that no core detects.
    """
    found = {}
    for index, opcode, fields in instructions_of(machine):
        unit = _UNITS[opcode]
        if opcode is Opcode.COMPUTE:
            found[index] = _of_compute(machine, fields)
        else:
            chip = {Region(fields["memory"]): chip_words(machine.config, fields)}
            outside = {WINDOW: _window_words(machine, fields)}
            reads, writes = (outside, chip) if opcode is Opcode.LOAD else (chip, outside)
            found[index] = Access(unit=unit, fields=fields, reads=reads, writes=writes)
    return found


def _window_words(machine: IsaMachine, fields: Mapping[str, int]) -> NDArray[np.int64]:
    """Words of the lines that lie within the window: of a transfer at fault some may be moved."""
    assert machine.backing is not None
    size = line_bytes(machine.config, fields)
    starts = np.array([start for start in line_starts(fields) if start + size <= machine.backing.limit], dtype=np.int64)
    return np.unique(starts[:, np.newaxis] // 4 + np.arange(size // 4))


def _of_compute(machine: IsaMachine, fields: Mapping[str, int]) -> Access:
    config, depth = machine.config, machine.config.act_words
    memories = {
        region: machine.read_words(region, 0, count)
        for region, count in (
            (Region.BLOCKS, config.blocks),
            (Region.TAPS, config.taps),
            (Region.WEIGHTS, config.weight_words),
            (Region.PARAMS, config.param_words),
            (Region.TABLES, config.tables * 256),
        )
    }
    blocks = fetch_blocks(fields, memories[Region.BLOCKS], memories[Region.TAPS])
    if not all(block.steps for block in blocks):
        return Access(unit=Unit.COMPUTE, fields=fields)

    def pad_address(_code: int) -> int:
        return depth

    plan: MacPlan | MaxPlan
    if fields["mode"] == Mode.MAX:
        plan = plan_max(config, fields, blocks, pad_address)
        reads, written = {}, plan.address
    else:
        plan = plan_mac(
            config, fields, blocks, *(memories[r] for r in (Region.WEIGHTS, Region.PARAMS, Region.TABLES)), pad_address
        )
        first, count = fields["param_base"], fields["column_groups"] * config.tile_granules
        reads = {
            Region.WEIGHTS: np.array(sorted(weight_words(machine.config, fields, blocks))),
            Region.PARAMS: np.arange(first, first + count),
        }
        written = plan.places // config.granules
    words = np.unique(np.concatenate([rows.ravel() for rows in plan.read]))
    reads[Region.ACTIVATIONS] = words[words < depth]
    return Access(
        unit=Unit.COMPUTE, fields=fields, reads=reads, writes={Region.ACTIVATIONS: np.unique(written.ravel())}
    )


def race(found: Mapping[int, Access]) -> bool:
    """Whether two instructions that no token orders want one place, and one of them writes it."""
    before = _ordered(found)
    return any(
        found[first].unit is not found[second].unit
        and first not in before[second]
        and found[first].conflicts(found[second])
        for first, second in combinations(sorted(found), 2)
    )


def _ordered(found: Mapping[int, Access]) -> dict[int, set[int]]:
    """For each instruction those that are done before it begins: of its unit, by tokens, and for all that is handed out
    behind a COMPUTE what was done when that started."""
    before: dict[int, set[int]] = {}
    tokens: dict[tuple[int, int], deque[int]] = {
        (unit, (unit + step) % len(Unit)): deque() for unit in Unit for step in (1, 2)
    }
    given = {key: _posters(found, *key) for key in tokens}
    last: dict[Unit, int] = {}
    computed: int | None = None
    for index in sorted(found):
        access, done = found[index], set()
        unit = access.unit
        if unit in last:
            done |= {last[unit]} | before[last[unit]]
        if computed is not None:
            done |= before[computed]
        for flag, step in (("wait_prev", -1), ("wait_next", 1)):
            queue = given[(unit + step) % len(Unit), unit]
            if access.fields[flag] and queue:
                giver = queue.popleft()
                if giver < index:
                    done |= {giver} | before[giver]
        before[index] = done
        last[unit] = index
        if unit is Unit.COMPUTE:
            computed = index
    return before


def _posters(found: Mapping[int, Access], unit: int, other: int) -> deque[int]:
    """Instructions of a unit that give another one tokens, in their order."""
    flag = "post_next" if (unit + 1) % len(Unit) == other else "post_prev"
    return deque(index for index in sorted(found) if found[index].unit == unit and found[index].fields[flag])
