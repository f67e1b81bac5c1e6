"""Fields of instructions, blocks and taps from planned layers, and their encoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.isa import INSTRUCTION_WORDS, RECORDS, IsaError, Opcode, Record
from ...hw.spec.layout import TensorLayout
from ...hw.spec.rounding import INTEGERS
from ..enlarging import Factors
from ..errors import CapacityError
from ..quantised import LevelTable, QuantisedTensor
from .geometry import Tap, Walk
from .plan import BlockPlan
from .tables import Table

__all__ = [
    "Fields",
    "as_fields",
    "block_fields",
    "encode_instructions",
    "encode_table",
    "output_fields",
    "signed_address",
    "table_fields",
    "tap_fields",
    "walk_fields",
]

Fields = tuple[tuple[str, int], ...]
"""Field values of a record, hashable."""

_RANGE = 1 << 16


def as_fields(values: Mapping[str, int]) -> Fields:
    """Fields in a fixed order."""
    return tuple(sorted((name, int(value)) for name, value in values.items()))


def signed_address(words: int) -> int:
    """An address or distance as a signed 16-bit field: no loss, addresses are modulo a divisor of 2**16."""
    return (words + _RANGE // 2) % _RANGE - _RANGE // 2


def _unsigned_address(words: int) -> int:
    return words % _RANGE


def tap_fields(tap: Tap) -> Fields:
    """Fields of a tap record."""
    return as_fields(tap._asdict() | {"offset": signed_address(tap.offset)})


def block_fields(block: BlockPlan, *, first_tap: int) -> Fields:
    """Fields of a block record whose taps lie from ``first_tap`` on."""
    return as_fields(
        {
            "base": signed_address(block.base),
            "group_pitch": _unsigned_address(block.group_pitch),
            "weight_base": block.weight_base,
            "groups": block.groups,
            "shift": block.shift,
            "hold": block.hold,
            "first_tap": first_tap,
            "tap_count": len(block.taps),
            "pad_code": block.pad_code,
            "latch": block.latch,
            "alike": block.alike,
            "held": block.held,
            "fixed": block.fixed,
            "constant": block.constant,
        }
    )


def walk_fields(walk: Walk) -> dict[str, int]:
    """Fields of a COMPUTE that say how pixel groups cover the output."""
    return {
        "wrap": walk.wrap,
        "rows": walk.rows,
        "origin_step": signed_address(walk.origin_step),
        "origin_line": signed_address(walk.origin_line),
    }


def output_fields(
    tensor: QuantisedTensor, layout: TensorLayout, factors: Factors = (1, 1), at: tuple[int, int] = (0, 0)
) -> dict[str, int]:
    """Fields of a COMPUTE that say where the output goes and which levels it takes.

    Its pixels are every ``factors``-th line and column of the output, from line and column ``at`` on.
    """
    last = layout.width // factors[1] - 1

    def place(y: int, x: int) -> int:
        return int(layout.spatial(factors[0] * y + at[0], factors[1] * x + at[1]))

    def step(y: int, x: int, next_y: int, next_x: int) -> int:
        return signed_address(place(next_y, next_x) - place(y, x))

    return {
        "out_height": layout.height // factors[0],
        "out_width": layout.width // factors[1],
        "out_base": layout.base + place(0, 0),
        "out_granule": 0,
        "out_dx_even": step(0, 0, 0, 1),
        "out_dx_odd": step(0, 1, 0, 2),
        "out_dy_even": step(0, last, 1, 0),
        "out_dy_odd": step(1, last, 2, 0),
        "out_plane_pitch": _unsigned_address(layout.plane_pitch),
        "out_group_pitch": _unsigned_address(layout.group_pitch),
        "planes": layout.planes,
        "uneven": int(tensor.format.rounding != INTEGERS),
        "rounding": tensor.format.rounding.number,
        "zero": tensor.zero,
        "clamp_low": tensor.low,
        "clamp_high": tensor.high,
    }


def table_fields(table: LevelTable) -> dict[str, int]:
    """Fields of a COMPUTE that say how its results become the integers that are looked up."""
    rounding = {"uneven": 0, "rounding": INTEGERS.number}
    return {**rounding, "zero": table.zero, "clamp_low": table.low, "clamp_high": table.high}


def encode_instructions(table: Table[Fields]) -> NDArray[np.uint32]:
    """Words of instructions, of shape (n, 16); raises as :func:`encode_table` does."""
    return _encode([RECORDS[Opcode(dict(fields)["opcode"])] for fields in table.rows], table, INSTRUCTION_WORDS)


def encode_table(record: Record, table: Table[Fields]) -> NDArray[np.uint32]:
    """Words of a table's records, of shape (n, record.words).

    Raises
    ------
    CapacityError
        If a value does not fit its field.
    """
    return _encode([record] * len(table), table, record.words)


def _encode(records: Sequence[Record], table: Table[Fields], size: int) -> NDArray[np.uint32]:
    words = np.zeros((len(table), size), dtype=np.uint32)
    for index, (record, fields) in enumerate(zip(records, table.rows, strict=True)):
        try:
            words[index] = record.encode(dict(fields))
        except IsaError as error:
            layer = table.layer_of(index)
            raise CapacityError(
                f"layer {layer!r} is too large for the machine ({error}): split it or make it smaller"
            ) from error
    return words
