"""Memory windows as bursts: which 32-bit words one write or read has to carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.registers import Region, region_address, region_beats, region_stride
from ...hw.spec.words import pack_codes

__all__ = ["BURST_GAP", "from_burst", "gathered", "runs", "to_burst", "window_span"]

BURST_GAP = 16
"""Two ranges of words no further apart than this travel in one burst: a burst costs more than the words between."""


def to_burst(config: AcceleratorConfig, region: Region, words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Beats of consecutive words with the padding beats of the window between them.

    Parameters
    ----------
    words : array of uint32, shape (n, region_beats(config, region))

    Returns
    -------
    array of uint32, shape (n * region_stride(config, region) / 4,)
    """
    padded = np.zeros((len(words), region_stride(config, region) // 4), dtype=np.uint32)
    padded[:, : words.shape[1]] = words
    return padded.reshape(-1)


def from_burst(config: AcceleratorConfig, region: Region, burst: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Words of a burst that starts at a word, of shape (n, beats); the inverse of :func:`to_burst`."""
    return burst.reshape(-1, region_stride(config, region) // 4)[:, : region_beats(config, region)]


def window_span(config: AcceleratorConfig, region: Region, first: int, count: int) -> tuple[int, int]:
    """Byte address and number of 32-bit words of ``count`` words from word ``first``."""
    return region_address(config, region, first), count * region_stride(config, region) // 4


def runs(addresses: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Ranges (first, end) that together hold every address, with gaps of at most `BURST_GAP` inside.

    Parameters
    ----------
    addresses : array of int64, any shape
    """
    ordered = np.unique(addresses)
    cuts = np.flatnonzero(np.diff(ordered) > BURST_GAP + 1)
    firsts = ordered[np.concatenate([[0], cuts + 1])]
    lasts = ordered[np.concatenate([cuts, [len(ordered) - 1]])]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def gathered(
    packed: NDArray[np.uint8],
    addresses: NDArray[np.int64],
    ranges: Sequence[tuple[int, int]],
    config: AcceleratorConfig,
) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """Activation words of a packed tensor as ranges: the first word's number, and words of shape (n, beats).

    Parameters
    ----------
    packed : array of uint8, shape (..., lanes)
        Codes as `TensorLayout.pack` gives them.
    addresses : array of int64, shape (...)
        Where each lies.
    ranges : sequence of (int, int)
        What `runs` makes of these; what is between words in a range becomes 0.
    """
    codes = np.zeros((ranges[-1][1], packed.shape[-1]), dtype=np.uint8)
    codes[addresses] = packed
    for first, end in ranges:
        yield first, pack_codes(codes[first:end], config.code_bits)
