"""Activation memory of the ISA model: codes, and their levels side by side for fast products."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.checksum import CHECKSUM_BITS
from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.words import pack_codes, unpack_codes

__all__ = ["ActivationMemory", "fold_codes"]


class ActivationMemory:
    """``act_words`` words of ``lanes`` codes, followed by one constant word for each code.

    A padded tap reads the constant word `pad_address`, so that padding costs nothing beyond the gather.

    Attributes
    ----------
    code_bits : int
        Width of the place of a code.
    codes : array of uint8, shape (act_words + number of codes, lanes)
    levels : array of float32, same shape
        Always the levels of ``codes``; exact.
    ranks : array of int8, shape (number of codes,)
        Order of the codes by level; minus zero comes before zero, or where its level is.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._words = config.act_words
        self.code_bits = config.code_bits
        every_code = np.arange(1 << config.digits.base.bits)
        self._code_levels = config.digits.base.decode(every_code).astype(np.float32)
        sign, whole = len(every_code) // 2, config.digits.base.whole
        ranks = np.where(every_code < sign, every_code, sign - 1 - every_code)
        self.ranks = (self._code_levels if whole else ranks).astype(np.int8)
        self.codes = np.zeros((config.act_words + len(every_code), config.lanes), dtype=np.uint8)
        self.codes[config.act_words :] = every_code[:, None]
        self.levels = self._code_levels[self.codes]

    def pad_address(self, code: int) -> int:
        """Row of the constant word that holds the code in the low bits of ``code`` in all lanes."""
        return self._words + (code & (len(self._code_levels) - 1))

    def read_beats(self, address: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Words as the host sees them, of shape (n, beats)."""
        return pack_codes(self.codes[address], self.code_bits)

    def write_beats(self, address: NDArray[np.int64], beats: NDArray[np.uint32]) -> None:
        """Write words as the host sees them, of shape (n, beats)."""
        self.write_words(address, unpack_codes(beats, self.codes.shape[1], self.code_bits))

    def write_granules(self, places: NDArray[np.int64], codes: NDArray[np.uint8]) -> None:
        """Write granules one after the other.

        Parameters
        ----------
        places : array of int, shape (n,)
            Address times granules of a word, plus granule.
        codes : array of uint8, shape (n, rescalers)
        """
        self.codes.reshape(-1, codes.shape[1])[places] = codes
        self.levels.reshape(-1, codes.shape[1])[places] = self._code_levels[codes]

    def flip_bits(self, word: int, bits: int) -> None:
        """Flip bits of a word, as `docs/machine.md` places its codes; bits to spare are in no code."""
        for lane in range(self.codes.shape[1]):
            code = bits >> (lane * self.code_bits) & (len(self._code_levels) - 1)
            self.codes[word, lane] ^= np.uint8(code)
        self.levels[word] = self._code_levels[self.codes[word]]

    def write_words(self, address: NDArray[np.int64], codes: NDArray[np.uint8]) -> None:
        """Write whole words of codes (n, lanes), one after the other."""
        self.codes[address] = codes
        self.levels[address] = self._code_levels[codes]


def fold_codes(codes: NDArray[np.uint8], code_bits: int) -> NDArray[np.uint32]:
    """`checksum.fold` of written words, given as codes of shape (n, count), of 1, 2, 4 or 8 bits."""
    period = CHECKSUM_BITS // code_bits
    folded = np.zeros(len(codes), dtype=np.uint32)
    for place in range(codes.shape[1]):
        folded ^= codes[:, place].astype(np.uint32) << np.uint32(code_bits * (place % period))
    return folded
