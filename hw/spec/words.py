"""Words of codes as 32-bit beats, and back: how activation and weight memories look through a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["pack_codes", "unpack_codes"]

_BEAT_BYTES = 4


def pack_codes(codes: ArrayLike, code_bits: int) -> NDArray[np.uint32]:
    """Beats of words of codes, low beat first.

    Parameters
    ----------
    codes : array of int, shape (..., count)
        Codes of a word, the first in the low bits.
    code_bits : int
        Width of a code, 1 to 8.

    Returns
    -------
    array of uint32, shape (..., ceil(count * code_bits / 32))
    """
    codes, per_byte = np.asarray(codes, dtype=np.uint8), _codes_in_byte(code_bits)
    if per_byte is None:
        bits = codes[..., np.newaxis] >> np.arange(code_bits, dtype=np.uint8) & np.uint8(1)
        return pack_codes(bits.reshape(*codes.shape[:-1], codes.shape[-1] * code_bits), 1)
    bytes_used = -(-codes.shape[-1] // per_byte)
    whole = codes if codes.shape[-1] == bytes_used * per_byte else _widened(codes, bytes_used * per_byte)
    packed = np.zeros((*codes.shape[:-1], -(-bytes_used // _BEAT_BYTES) * _BEAT_BYTES), dtype=np.uint8)
    used = packed[..., :bytes_used]
    for place in range(per_byte):
        used |= whole[..., place::per_byte] << np.uint8(place * code_bits)
    return packed.view("<u4").astype(np.uint32, copy=False)


def unpack_codes(beats: ArrayLike, count: int, code_bits: int) -> NDArray[np.uint8]:
    """The first ``count`` codes of words of shape (..., beats); the inverse of :func:`pack_codes`."""
    per_byte, mask = _codes_in_byte(code_bits), np.uint8((1 << code_bits) - 1)
    if per_byte is None:
        bits = unpack_codes(beats, count * code_bits, 1)
        places = np.uint8(1) << np.arange(code_bits, dtype=np.uint8)
        return (bits.reshape(*bits.shape[:-1], count, code_bits) * places).sum(axis=-1, dtype=np.uint8)
    packed = np.ascontiguousarray(beats, dtype="<u4").view(np.uint8)[..., : -(-count // per_byte)]
    codes = np.empty((*packed.shape, per_byte), dtype=np.uint8)
    for place in range(per_byte):
        codes[..., place] = packed >> np.uint8(place * code_bits) & mask
    return np.ascontiguousarray(codes.reshape(*packed.shape[:-1], packed.shape[-1] * per_byte)[..., :count])


def _codes_in_byte(code_bits: int) -> int | None:
    """How many codes share a byte; None if one may lie across two."""
    if not 1 <= code_bits <= 8:
        raise ValueError(f"a code has 1 to 8 bits, not {code_bits}")
    return None if 8 % code_bits else 8 // code_bits


def _widened(codes: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    wide = np.zeros((*codes.shape[:-1], count), dtype=np.uint8)
    wide[..., : codes.shape[-1]] = codes
    return wide
