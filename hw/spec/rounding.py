"""Roundings: where the levels of a family of formats get sparser, as data for everything that rounds."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["INTEGERS", "ROUNDINGS", "Octave", "Rounding", "dybit_rounding", "minifloat_rounding"]

_TOP = 1 << 14
"""Largest level of any format, that of unsigned DyBit8."""

Octave = tuple[int, int]
"""Magnitude from which on levels lie further apart, and their distance there; both powers of two."""


@dataclass(frozen=True)
class Rounding:
    """Levels 0, 1, 2, ... and their negatives, further apart from one octave to the next.

    Hardware, models, quantiser and trainer round by `octaves` alone: the nearest level of a magnitude is found by
    adding half the distance that holds there and clearing what is below it.

    Parameters
    ----------
    number : int
        What an instruction calls it, 1 to 15; 0 are integers.
    octaves : tuple of Octave
        Starts and distances both increase; each start is a multiple of the distance from it on.
    top : int
        Largest level of all.
    """

    number: int
    octaves: tuple[Octave, ...]
    top: int = _TOP

    @functools.cached_property
    def magnitudes(self) -> tuple[int, ...]:
        """All levels from 0 to `top`."""
        ends = (*(start for start, _ in self.octaves), self.top + 1)
        octaves = zip(((0, 1), *self.octaves), ends, strict=True)
        return tuple(level for (start, step), end in octaves for level in range(start, end, step))

    @functools.cached_property
    def levels(self) -> NDArray[np.int64]:
        """All levels in increasing order, negative ones too."""
        magnitudes = np.array(self.magnitudes, dtype=np.int64)
        return np.concatenate([-magnitudes[:0:-1], magnitudes])


INTEGERS = Rounding(0, ())
"""Levels are one apart everywhere."""


@functools.cache
def dybit_rounding(width: int) -> Rounding:
    """Rounding of DyBit magnitudes of 1 to 8 bits (arXiv 2302.12510): from ``2**(width - 1)`` on, levels are 2, 8,
    32, ... apart, four times as far an octave."""
    octaves = tuple((1 << (width - 1 + i), 2 << (2 * i)) for i in range(width - 1))
    return Rounding(width, octaves, 1 << (2 * width - 2))


@functools.cache
def minifloat_rounding(mantissa_bits: int) -> Rounding:
    """Rounding of binary floating point with 0 to 6 mantissa bits below the leading one, and subnormal numbers: from
    ``2**(mantissa_bits + 1)`` on, levels are 2, 4, 8, ... apart."""
    starts = range(mantissa_bits + 1, _TOP.bit_length() - 1)
    return Rounding(9 + mantissa_bits, tuple((1 << start, 1 << (start - mantissa_bits)) for start in starts))


ROUNDINGS: Mapping[int, Rounding] = MappingProxyType(
    {
        rounding.number: rounding
        for rounding in (
            INTEGERS,
            *(dybit_rounding(width) for width in range(1, 9)),
            *(minifloat_rounding(mantissa_bits) for mantissa_bits in range(7)),
        )
    }
)
"""All roundings by number."""
