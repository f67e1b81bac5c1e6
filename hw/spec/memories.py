"""The single-port memories of an FPGA, as a core with ``memories = "single"`` is made of them."""

from __future__ import annotations

__all__ = ["SINGLE_ENABLE", "SINGLE_WIDTH", "SINGLE_WORDS"]

SINGLE_WIDTH, SINGLE_ENABLE, SINGLE_WORDS = 16, 4, 16384
"""Bits of a word, bits behind one write enable, words: those of the iCE40UP5K's SPRAM."""
