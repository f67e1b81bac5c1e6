"""Checksum of drained codes: how one COMPUTE's output is summed up in 32 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CHECKSUM_BITS", "checksum", "fold"]

CHECKSUM_BITS = 16
"""Width of each of the two running sums."""

_MASK = (1 << CHECKSUM_BITS) - 1


def fold(words: ArrayLike, bits: int) -> NDArray[np.int64]:
    """XOR of the 16-bit pieces of written words.

    Parameters
    ----------
    words : array of int or of Python int, shape (n,)
    bits : int
        Width of a word.
    """
    words = np.asarray(words, dtype=object if bits > 62 else np.int64)
    folded = words & _MASK
    for low in range(CHECKSUM_BITS, bits, CHECKSUM_BITS):
        folded = folded ^ ((words >> low) & _MASK)
    return folded.astype(np.int64)


def checksum(folded: ArrayLike) -> int:
    """Fletcher sums over folded words in the order written: ``a += w``, then ``b += a``, modulo 2**16; ``b << 16 | a``.

    Parameters
    ----------
    folded : array of int, shape (n,)
    """
    sums = np.cumsum(np.asarray(folded, dtype=np.int64)) & _MASK
    a = int(sums[-1]) if len(sums) else 0
    return (int(sums.sum()) & _MASK) << CHECKSUM_BITS | a
