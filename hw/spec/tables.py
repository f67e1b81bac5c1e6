"""Tables of levels: an activation function on the integers of 8 bits, entry by entry."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["TABLE_ENTRIES", "TABLE_TOP", "decode_table", "encode_table", "look_up"]

TABLE_ENTRIES = 256
"""Entries of a table; entry ``sign << 7 | magnitude`` belongs to an integer, that of minus zero to none."""

TABLE_TOP = 127
"""Largest integer that is looked up, of either sign."""


def look_up(table: ArrayLike, integers: ArrayLike) -> NDArray[np.int64]:
    """Entries of integers -127 to 127; ``table`` has their levels in this order, shape (255,)."""
    return np.asarray(table, dtype=np.int64)[np.asarray(integers, dtype=np.int64) + TABLE_TOP]


def encode_table(table: ArrayLike, level_bits: int) -> NDArray[np.uint32]:
    """Words of a table of levels of -127 to 127 (shape (255,)): sign above magnitude, ``level_bits`` in all.

    Returns
    -------
    array of uint32, shape (256, 1)

    Raises
    ------
    ValueError
        If there are not 255 levels, or one does not fit.
    """
    levels = np.asarray(table, dtype=np.int64)
    if levels.shape != (2 * TABLE_TOP + 1,):
        raise ValueError(f"a table has {2 * TABLE_TOP + 1} levels, not {levels.shape}")
    sign = 1 << (level_bits - 1)
    if np.abs(levels).max() >= sign:
        raise ValueError(f"level {int(levels[np.abs(levels).argmax()])} of a table does not fit {level_bits} bits")
    words = np.where(levels < 0, sign | -levels, levels)
    halves = words[TABLE_TOP:], words[TABLE_TOP::-1]  # 0 to 127; minus zero like zero, -1 to -127
    return np.concatenate(halves).astype(np.uint32)[:, np.newaxis]


def decode_table(words: ArrayLike, level_bits: int) -> NDArray[np.int64]:
    """Levels of -127 to 127, of shape (255,); the inverse of :func:`encode_table`."""
    words = np.asarray(words, dtype=np.int64).reshape(-1)
    sign = 1 << (level_bits - 1)
    levels = np.where(words & sign, -(words & (sign - 1)), words & (sign - 1))
    return np.concatenate([levels[: TABLE_TOP + 1 : -1], levels[: TABLE_TOP + 1]])
