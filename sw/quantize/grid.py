"""The accumulator scales that narrow rescalers can undo exactly: ``s_y * m / 2**s`` with ``m`` of k bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig

__all__ = ["ScaleGrid"]

_PER_OCTAVE = 8
"""Scales tried in each octave: beyond that weights hardly change from one to the next."""


_BESIDE = 0.55 / _PER_OCTAVE
"""Where free scales begin, in octaves: beside those that few bits hold."""


@dataclass(frozen=True)
class ScaleGrid:
    """Accumulator scales of one layer in increasing order, with multiplicand and shift of each.

    Choosing the accumulator's scale among these, instead of rounding the multiplicand to k bits afterwards, makes the
    gain error of a narrow multiplicand zero (docs/numerics.md, section 4).
    """

    scales: NDArray[np.float64]
    multiplicands: NDArray[np.int64]
    shifts: NDArray[np.int64]

    @staticmethod
    def of(output_scale: float, config: AcceleratorConfig) -> ScaleGrid:
        """All scales for an output of ``output_scale``."""
        half = 1 << (config.rescale_bits - 1)
        multiplicands = half + (half * np.arange(min(half, _PER_OCTAVE)) // min(half, _PER_OCTAVE))
        shifts = np.arange(config.shift_max, -1, -1)
        m, s = (grid.ravel() for grid in np.broadcast_arrays(multiplicands[np.newaxis, :], shifts[:, np.newaxis]))
        return ScaleGrid(output_scale * m / np.exp2(s), m, s)

    @staticmethod
    def free(output_scale: float, config: AcceleratorConfig) -> ScaleGrid:
        """Scales at even ratios, each with the multiplicand nearest to its gain, which has an error then."""
        exact = ScaleGrid.of(output_scale, config).scales
        octaves = np.arange(np.log2(exact[0]), np.log2(exact[-1]), 1 / _PER_OCTAVE) + _BESIDE
        scales = np.exp2(octaves)
        fraction, exponent = np.frexp(scales / output_scale)
        m = np.floor(fraction * (1 << config.rescale_bits) + 0.5).astype(np.int64)
        over = m == 1 << config.rescale_bits
        m, exponent = np.where(over, m >> 1, m), exponent + over
        return ScaleGrid(scales, m, np.clip(config.rescale_bits - exponent, 0, config.shift_max).astype(np.int64))

    def window(self, low: NDArray[np.float64], octaves: float) -> NDArray[np.int64]:
        """Indices (O, J) of the scales from ``low`` (O,) on over so many octaves, clipped to the grid."""
        step = max(1, round(self.scales.size / (np.log2(self.scales[-1] / self.scales[0]) or 1)))
        first = np.searchsorted(self.scales, low)
        return np.clip(first[:, np.newaxis] + np.arange(int(np.ceil(octaves * step)) + 1), 0, self.scales.size - 1)
