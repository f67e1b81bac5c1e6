"""Words of 4-bit codes as 32-bit beats, and back: how activation and weight memories look through a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .config import CODE_BITS

__all__ = ["pack_codes", "unpack_codes"]

_CODES_PER_BEAT = 32 // CODE_BITS


def pack_codes(codes: ArrayLike) -> NDArray[np.uint32]:
    """Beats of words of codes, low beat first.

    Parameters
    ----------
    codes : array of int, shape (..., count)
        Codes of a word, the first in the low bits.

    Returns
    -------
    array of uint32, shape (..., ceil(count / 8))
    """
    codes = np.asarray(codes, dtype=np.uint8)
    count = codes.shape[-1]
    beats = -(-count // _CODES_PER_BEAT)
    nibbles = np.zeros((*codes.shape[:-1], beats * _CODES_PER_BEAT), dtype=np.uint8)
    nibbles[..., :count] = codes
    return (nibbles[..., 0::2] | nibbles[..., 1::2] << CODE_BITS).view("<u4").astype(np.uint32)


def unpack_codes(beats: ArrayLike, count: int) -> NDArray[np.uint8]:
    """The first ``count`` codes of words of shape (..., beats); the inverse of :func:`pack_codes`."""
    pairs = np.ascontiguousarray(beats, dtype="<u4").view(np.uint8)
    codes = np.stack([pairs & np.uint8((1 << CODE_BITS) - 1), pairs >> np.uint8(CODE_BITS)], axis=-1)
    return codes.reshape(*pairs.shape[:-1], 2 * pairs.shape[-1])[..., :count]
