"""Words of codes as 32-bit beats, and back: how activation and weight memories look through a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["pack_codes", "unpack_codes"]

_BEAT = 32


def pack_codes(codes: ArrayLike, code_bits: int) -> NDArray[np.uint32]:
    """Beats of words of codes, low beat first.

    Parameters
    ----------
    codes : array of int, shape (..., count)
        Codes of a word, the first in the low bits.
    code_bits : int
        Width of a code.

    Returns
    -------
    array of uint32, shape (..., ceil(count * code_bits / 32))
    """
    codes = np.asarray(codes, dtype=np.uint8)
    bits = (codes[..., np.newaxis] >> np.arange(code_bits, dtype=np.uint8)) & np.uint8(1)
    bits = bits.reshape(*codes.shape[:-1], -1)
    padding = [(0, 0)] * (bits.ndim - 1) + [(0, -bits.shape[-1] % _BEAT)]
    return np.packbits(np.pad(bits, padding), axis=-1, bitorder="little").view("<u4").astype(np.uint32)


def unpack_codes(beats: ArrayLike, count: int, code_bits: int) -> NDArray[np.uint8]:
    """The first ``count`` codes of words of shape (..., beats); the inverse of :func:`pack_codes`."""
    packed = np.ascontiguousarray(beats, dtype="<u4").view(np.uint8)
    bits = np.unpackbits(packed, axis=-1, count=count * code_bits, bitorder="little")
    places = np.uint8(1) << np.arange(code_bits, dtype=np.uint8)
    return (bits.reshape(*bits.shape[:-1], count, code_bits) * places).sum(axis=-1, dtype=np.uint8)
