"""The single-port memories of an FPGA, as a core with ``memories = "single"`` is made of them."""

from __future__ import annotations

__all__ = ["SINGLE_ENABLE", "SINGLE_WIDTH", "SINGLE_WORDS", "WINDOW_BITS", "stride_bytes", "words_in_window"]

SINGLE_WIDTH, SINGLE_ENABLE, SINGLE_WORDS = 16, 4, 16384
"""Bits of a word, bits behind one write enable, words: those of the iCE40UP5K's SPRAM."""

WINDOW_BITS = 22
"""A memory's window on the host's side has 2 to the power of this bytes."""


def stride_bytes(word_bits: int) -> int:
    """Bytes from one word to the next in a window: its beats of 32 bits, rounded up to a power of two."""
    return 4 << (-(-word_bits // 32) - 1).bit_length()


def words_in_window(word_bits: int) -> int:
    """How many words of so many bits a host's window of a memory has room for."""
    return (1 << WINDOW_BITS) // stride_bytes(word_bits)
