"""Activation memory of the ISA model: codes, and their levels side by side for fast products."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.checksum import CHECKSUM_BITS
from ..hw.spec.config import CODE_BITS, AcceleratorConfig
from ..hw.spec.digits import NATIVE
from ..hw.spec.words import pack_codes, unpack_codes

__all__ = ["CODE_LEVELS", "CODE_RANKS", "ActivationMemory", "fold_codes"]

CODE_LEVELS = NATIVE.decode(np.arange(1 << CODE_BITS)).astype(np.float32)
"""Level of each code."""

_SIGN = 1 << NATIVE.magnitude_bits
CODE_RANKS = np.array([code if code < _SIGN else _SIGN - 1 - code for code in range(2 * _SIGN)], dtype=np.int8)
"""Order of the codes by level, -8 to 7; minus zero comes before zero."""


class ActivationMemory:
    """``act_words`` words of ``lanes`` codes, followed by one constant word for each code.

    A padded tap reads the constant word `pad_address`, so that padding costs nothing beyond the gather.

    Attributes
    ----------
    codes : array of uint8, shape (act_words + 16, lanes)
    levels : array of float32, same shape
        Always the levels of ``codes``; exact.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._words = config.act_words
        self._granules = config.granules
        self.codes = np.zeros((config.act_words + len(CODE_LEVELS), config.lanes), dtype=np.uint8)
        self.codes[config.act_words :] = np.arange(len(CODE_LEVELS))[:, None]
        self.levels = CODE_LEVELS[self.codes]

    def pad_address(self, code: int) -> int:
        """Row of the constant word that holds ``code`` in all lanes."""
        return self._words + code

    def read_beats(self, address: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Words as the host sees them, of shape (n, beats)."""
        return pack_codes(self.codes[address])

    def write_beats(self, address: NDArray[np.int64], beats: NDArray[np.uint32]) -> None:
        """Write words as the host sees them, of shape (n, beats)."""
        self.write_words(address, unpack_codes(beats, self.codes.shape[1]))

    def write_granules(self, address: NDArray[np.int64], granule: NDArray[np.int64], codes: NDArray[np.uint8]) -> None:
        """Write granules one after the other.

        Parameters
        ----------
        address, granule : arrays of int, shape (n,)
        codes : array of uint8, shape (n, rescalers)
        """
        self.codes.reshape(len(self.codes), self._granules, -1)[address, granule] = codes
        self.levels.reshape(len(self.codes), self._granules, -1)[address, granule] = CODE_LEVELS[codes]

    def write_words(self, address: NDArray[np.int64], codes: NDArray[np.uint8]) -> None:
        """Write whole words of codes (n, lanes), one after the other."""
        self.codes[address] = codes
        self.levels[address] = CODE_LEVELS[codes]


def fold_codes(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """`checksum.fold` of written words, given as codes of shape (n, count)."""
    per_piece = CHECKSUM_BITS // CODE_BITS
    folded = np.zeros(len(codes), dtype=np.int64)
    for place in range(min(per_piece, codes.shape[1])):
        folded |= np.bitwise_xor.reduce(codes[:, place::per_piece], axis=1).astype(np.int64) << (CODE_BITS * place)
    return folded
