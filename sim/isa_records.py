"""Blocks and taps of a COMPUTE out of its memories, and what makes the core refuse it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.isa import BlockTaps, IsaError, Mode, Opcode, blocks_of
from ..hw.spec.registers import Fault
from ..hw.spec.rounding import ROUNDINGS
from ..hw.spec.schedule import TOKEN_FLAGS
from ..hw.spec.tables import TABLE_TOP
from ..hw.spec.transfer import is_legal
from ..sw.errors import NarrowsError

__all__ = ["MachineError", "check_apart", "check_reach", "fault_of", "fetch_blocks"]

_NOT_ZERO = ("out_height", "out_width", "block_count", "column_groups", "channel_period")


class MachineError(NarrowsError, RuntimeError):
    """A program that breaks a rule of the contract in a way that no core detects; what one would do is undefined."""


def fetch_blocks(
    fields: Mapping[str, int],
    blocks: NDArray[np.uint32],
    taps: NDArray[np.uint32],
) -> tuple[BlockTaps, ...]:
    """Blocks of a COMPUTE from the block and tap memories.

    Raises
    ------
    MachineError
        If it points beyond a memory.
    """
    try:
        return blocks_of(fields, blocks, taps)
    except IsaError as error:
        raise MachineError(str(error)) from error


def check_apart(read: Iterable[NDArray[np.integer]], written: NDArray[np.integer]) -> None:
    """See that a COMPUTE reads none of the words that it writes; what a core would read depends on its pipeline.

    Parameters
    ----------
    read, written : arrays of int
        Addresses; those of constant words lie behind the memory and are never written.

    Raises
    ------
    MachineError
        If it does.
    """
    writes = np.zeros(int(written.max()) + 1, dtype=bool)
    writes[written] = True
    for words in read:
        both = words[writes[np.minimum(words, len(writes) - 1)] & (words < len(writes))]
        if both.size:
            raise MachineError(f"one COMPUTE reads and writes activation word {int(both[0])}")


def check_reach(config: AcceleratorConfig, fields: Mapping[str, int]) -> None:
    """See that a COMPUTE's image and first granule are within what a core counts, and its clamps among the levels that
    it rounds to.

    Raises
    ------
    MachineError
        If one is not.
    """
    if fields["uneven"] and fields["mode"] == Mode.MAC:
        for name in ("clamp_low", "clamp_high"):
            if fields[name] not in ROUNDINGS[fields["rounding"]].levels:
                raise MachineError(f"{name} is {fields[name]}, which is no level of rounding {fields['rounding']}")
    for name, end in (
        ("out_height", 2 * config.act_words),
        ("out_width", 2 * config.act_words),
        ("out_granule", config.granules),
    ):
        if fields[name] >= end:
            raise MachineError(f"{name} is {fields[name]}, the core counts to {end - 1}")


def fault_of(config: AcceleratorConfig, opcode: Opcode, fields: Mapping[str, int]) -> Fault:
    """Why the core refuses an instruction, or `Fault.NONE`."""
    if any(fields[token] for token in TOKEN_FLAGS) and (opcode is Opcode.END or not config.has_backing):
        return Fault.ILLEGAL_INSTRUCTION
    if opcode in (Opcode.LOAD, Opcode.STORE):
        return Fault.NONE if config.has_backing and is_legal(opcode, fields) else Fault.ILLEGAL_INSTRUCTION
    if opcode is Opcode.END:
        return Fault.NONE
    maximum = fields["mode"] == Mode.MAX
    legal = (
        (config.max_pool or not maximum)
        and all(fields[name] for name in _NOT_ZERO)
        and 1 <= fields["rows"] <= (1 if maximum else config.rows)
        and 1 <= fields["planes"] <= config.planes
        and (maximum or not fields["uneven"] or ROUNDINGS.get(fields["rounding"]) in config.roundings)
        and (maximum or fields["table"] <= (0 if fields["uneven"] else config.tables))
    )
    if not maximum:
        low, high = fields["clamp_low"], fields["clamp_high"]
        half = 1 << (config.level_bits - 1)
        legal = legal and low <= high and all(-half <= level < half for level in (fields["zero"], low, high))
        legal = legal and not (fields["table"] and max(-low, high) > TABLE_TOP)
    if not legal:
        return Fault.ILLEGAL_INSTRUCTION
    return Fault.CERTIFICATE if fields["cert_bits"] > config.acc_bits else Fault.NONE
