"""link_streamed: programs of a core with a backing store get windows of their own, one behind the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import BLOCK, RECORDS, Opcode, decode_instruction
from ...hw.spec.tables import TABLE_ENTRIES
from ..errors import InputError
from ..linked import Linked
from ..program import Program
from .room import check_room
from .tables import Table

__all__ = ["link_streamed"]

_Words = tuple[int, ...]


class _Tables:
    """Blocks, taps and tables of levels of all programs, equal runs of them once."""

    def __init__(self) -> None:
        self.blocks: Table[_Words] = Table("blocks", "blocks")
        self.taps: Table[_Words] = Table("taps", "taps")
        self.levels: Table[_Words] = Table("tables of levels", "tables")

    def relocated(self, program: Program, window: int) -> NDArray[np.uint32]:
        """Instructions of a program, of shape (n, 16), that refer to these tables, and to the backing store from byte
        ``window`` on."""
        instructions = [self._instruction(program, words, window) for words in program.instructions.tolist()]
        return np.array(instructions, dtype=np.uint32)

    def _instruction(self, program: Program, words: list[int], window: int) -> list[int]:
        opcode, decoded = decode_instruction(words)
        fields = dict(decoded)
        if opcode in (Opcode.LOAD, Opcode.STORE):
            fields["external"] += window
        if opcode is Opcode.COMPUTE:
            blocks = program.blocks[fields["first_block"] :][: fields["block_count"]]
            fields["first_block"] = self.blocks.place([self._block(program, block) for block in blocks.tolist()])
        if opcode is Opcode.COMPUTE and fields["table"]:
            entries = program.tables[TABLE_ENTRIES * (fields["table"] - 1) :][:TABLE_ENTRIES]
            fields["table"] = 1 + self.levels.place([tuple(entries[:, 0].tolist())])
        return RECORDS[opcode].encode(fields)

    def _block(self, program: Program, words: list[int]) -> _Words:
        fields = BLOCK.decode(words)
        taps = program.taps[fields["first_tap"] :][: fields["tap_count"]]
        return tuple(BLOCK.encode({**fields, "first_tap": self.taps.place([tuple(tap) for tap in taps.tolist()])}))


def link_streamed(programs: Mapping[str, Program], config: AcceleratorConfig) -> Linked:
    """Programs as `link.link` takes them, for a core with a backing store.

    A run loads all the weights and parameters that it needs, so these, and tensors, have the same places on the chip in
    all programs. What lies in the window lies there once for each program.

    Raises
    ------
    InputError
        If a program keeps states, which lie on the chip.
    CapacityError
        As `link.link` does.
    """
    for name, program in programs.items():
        if program.graph.states:
            raise InputError(
                f"{name} keeps states on the chip, where the other programs of a core with a backing store put their "
                "tensors: link it on a core with backing = 'none'"
            )
    tables, linked = _Tables(), {}
    windows: list[NDArray[np.uint32]] = []
    entry = window = 0
    for name, program in programs.items():
        external = {tensor: place + window for tensor, place in program.external.items()}
        linked[name] = replace(program, instructions=tables.relocated(program, window), external=external), entry
        own = np.zeros(program.window_bytes // 4, dtype=np.uint32)
        own[: len(program.backing)] = program.backing
        windows.append(own)
        entry += len(program.instructions)
        window += program.window_bytes
    made = (tables.blocks, tables.taps, tables.levels)
    check_room(
        config,
        {("instructions", "instructions"): entry} | {(table.what, table.parameter): len(table) for table in made},
    )
    shared = {
        "config": config,
        "blocks": tables.blocks.words(BLOCK.words),
        "taps": tables.taps.words(1),
        "tables": tables.levels.words(1),
        "backing": np.concatenate(windows),
        "window_bytes": window,
    }
    return Linked({name: replace(program, **shared, entry=first) for name, (program, first) in linked.items()})
