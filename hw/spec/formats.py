"""Number formats: which small integers (levels) a code of a few bits can stand for."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .rounding import INTEGERS, Octave, Rounding, dybit_rounding, minifloat_rounding

__all__ = [
    "MAX_BITS",
    "MAX_INT_BITS",
    "MIN_BITS",
    "DyBit",
    "Format",
    "Int",
    "Minifloat",
    "parse_format",
    "roundings_of",
    "usual_roundings",
]

MIN_BITS = 2
MAX_BITS = 8
"""Widest code of DyBit and minifloats."""

MAX_INT_BITS = 15
"""Widest signed integer: five digits hold it. Such widths are for sums that leave the network unrounded."""

_AT_ONCE = 1 << 16
"""Values that become levels at once: what a processor's cache holds."""


@dataclass(frozen=True)
class Format:
    """A number format: data, not code paths. Everything that needs its levels reads them here.

    Parameters
    ----------
    name : str
        What users type, for example ``dybit4`` or ``uint8``.
    rounding : Rounding
        Where its levels get sparser; all levels follow from that.
    bits : int
        Width of a code, sign included.
    signed : bool
        A signed code is ``sign << magnitude_bits | magnitude`` (sign-magnitude, for INT too).
    whole : bool
        Whether the code of minus zero stands for one more level, ``-(top + 1)``, and not for 0.
    """

    name: str
    rounding: Rounding
    bits: int
    signed: bool
    whole: bool = False

    @property
    def magnitude_bits(self) -> int:
        """Width of the magnitude field, in bits."""
        return self.bits - 1 if self.signed else self.bits

    @functools.cached_property
    def magnitudes(self) -> tuple[int, ...]:
        """Level of each magnitude code, in code order; strictly increasing from 0."""
        return self.rounding.magnitudes[: 1 << self.magnitude_bits]

    @functools.cached_property
    def octaves(self) -> tuple[Octave, ...]:
        """Octaves of its rounding that begin below its top: where its levels get sparser."""
        return tuple(octave for octave in self.rounding.octaves if octave[0] < self.top)

    @property
    def top(self) -> int:
        """Largest level."""
        return self.magnitudes[-1]

    @property
    def bottom(self) -> int:
        """Smallest level."""
        return -self.top - self.whole if self.signed else 0

    @functools.cached_property
    def levels(self) -> NDArray[np.int64]:
        """All levels in increasing order, each once."""
        positive = np.array(self.magnitudes, dtype=np.int64)
        negative = -positive[:0:-1] if self.signed else positive[:0]
        return np.concatenate([[self.bottom] if self.whole else [], negative, positive]).astype(np.int64)

    @functools.cached_property
    def _nearest(self) -> NDArray[np.int64]:
        """Level nearest to ``h / 2`` for h from twice the smallest to twice the largest level."""
        halves = np.arange(2 * self.bottom, 2 * self.top + 1)
        return self.levels[np.searchsorted(self.levels[1:] + self.levels[:-1], halves, side="right")]

    def quantise(self, values: ArrayLike) -> NDArray[np.int64]:
        """Nearest level of each value, ties toward +infinity, clamped at both ends.

        Parameters
        ----------
        values : array of float64, any shape
            Values in level units: ``x / scale + Z``.

        Raises
        ------
        ValueError
            If a value is NaN.
        """
        values = np.asarray(values, dtype=np.float64)
        levels, flat = np.empty(values.size, dtype=np.int64), values.reshape(-1)
        for first in range(0, values.size, _AT_ONCE):
            part = flat[first : first + _AT_ONCE]
            # Levels are integers, so the next one begins at a whole number of halves: those that are passed count.
            halves = np.clip(part, self.bottom, self.top)
            if math.isnan(halves.sum()):  # of finite numbers, but for NaN
                raise ValueError(f"cannot quantise NaN to {self.name}")
            halves *= 2
            np.floor(halves, out=halves)
            halves -= 2 * self.bottom
            self._nearest.take(halves.astype(np.intp), out=levels[first : first + _AT_ONCE], mode="clip")
        return levels.reshape(values.shape)[()]

    def encode(self, levels: ArrayLike) -> NDArray[np.int64]:
        """Code of each level; the inverse of :meth:`decode` (minus zero is never produced, unless it is a level).

        Raises
        ------
        ValueError
            If a value is not one of the format's levels.
        """
        levels = np.asarray(levels, dtype=np.int64)
        if levels.size and not self.bottom <= levels.min() <= levels.max() <= self.top:
            wrong = (levels < self.bottom) | (levels > self.top)
        else:
            codes = self._codes[levels - self.bottom]
            wrong = codes < 0
            if not wrong.any():
                return codes
        raise ValueError(f"{int(levels[wrong].flat[0])} is not a level of {self.name}")

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Level of each code; minus zero decodes to 0, or to the level that it stands for.

        Raises
        ------
        ValueError
            If a code does not fit the format's bits.
        """
        codes = np.asarray(codes)
        if codes.dtype != np.uint8:
            codes = codes.astype(np.int64)
        if codes.size and not 0 <= codes.min() <= codes.max() < 1 << self.bits:
            wrong = codes[(codes < 0) | (codes >= 1 << self.bits)]
            raise ValueError(f"code {int(wrong.flat[0])} does not fit the {self.bits} bits of {self.name}")
        return self._decoded[codes]

    @functools.cached_property
    def _codes(self) -> NDArray[np.int64]:
        """Code of each integer from `bottom` to `top`; -1 of those that are not levels."""
        codes = np.full(self.top - self.bottom + 1, -1, dtype=np.int64)
        magnitudes = np.array(self.magnitudes)
        if self.signed:
            codes[-magnitudes - self.bottom] = np.arange(len(magnitudes)) | (1 << self.magnitude_bits)
        codes[magnitudes - self.bottom] = np.arange(len(magnitudes))
        if self.whole:
            codes[0] = 1 << self.magnitude_bits
        return codes

    @functools.cached_property
    def _decoded(self) -> NDArray[np.int64]:
        """Level of each code."""
        magnitudes = np.array(self.magnitudes, dtype=np.int64)
        negative = -magnitudes
        if self.whole:
            negative[0] = self.bottom
        return np.concatenate([magnitudes, negative]) if self.signed else magnitudes

    def __str__(self) -> str:
        return self.name


def _check_bits(bits: int, least: int, most: int, name: str = "bits") -> None:
    if not isinstance(bits, int) or isinstance(bits, bool):
        raise TypeError(f"{name} must be an int, not {bits!r}")
    if not least <= bits <= most:
        raise ValueError(f"{name} must be {least} to {most}, not {bits!r}")


def _sign(signed: bool) -> str:
    return "" if signed else "u"


@functools.cache
def DyBit(bits: int, signed: bool = True) -> Format:  # noqa: N802 - reads as the name of a format
    """DyBit format of 2 to 8 bits: a run of leading ones is the exponent, the rest the mantissa."""
    _check_bits(bits, MIN_BITS, MAX_BITS)
    return Format(f"{_sign(signed)}dybit{bits}", dybit_rounding(bits - signed), bits, signed)


@functools.cache
def Int(bits: int, signed: bool = True) -> Format:  # noqa: N802 - reads as the name of a format
    """Integer format of 2 to 15 bits (unsigned 14); signed ones are symmetric, ``+-(2**(bits - 1) - 1)``."""
    _check_bits(bits, MIN_BITS, MAX_INT_BITS - (not signed))
    return Format(f"{_sign(signed)}int{bits}", INTEGERS, bits, signed)


@functools.cache
def Minifloat(exponent_bits: int, mantissa_bits: int, signed: bool = True) -> Format:  # noqa: N802 - as above
    """Floating-point format of few bits in units of its smallest number, with subnormals, without infinity and NaN: 2
    or 3 exponent bits, mantissa bits from 0 on, 8 bits in all.

    E2M1, the element of NVFP4 and MXFP4 (OCP Microscaling Formats 1.0), has the levels 0, 1, 2, 3, 4, 6, 8, 12.
    """
    _check_bits(exponent_bits, 2, 3, "exponent bits")
    _check_bits(mantissa_bits, 0, MAX_BITS - signed - exponent_bits, "mantissa bits")
    name = f"{_sign(signed)}e{exponent_bits}m{mantissa_bits}"
    return Format(name, minifloat_rounding(mantissa_bits), signed + exponent_bits + mantissa_bits, signed)


_FAMILIES = {r"dybit([1-9])": DyBit, r"int([1-9]\d?)": Int, r"e(\d)m(\d)": Minifloat}
"""Makers of formats by what their names look like; the numbers are their first parameters."""


def parse_format(name: str) -> Format:
    """Format of a name such as ``dybit4``, ``int8``, ``e2m1``, or, unsigned, ``udybit4`` or ``uint8``.

    Raises
    ------
    ValueError
        If there is no such format.
    """
    for pattern, make in _FAMILIES.items():
        if (match := re.fullmatch("(u?)" + pattern, name)) is not None:
            try:
                return make(*map(int, match.groups()[1:]), not match[1])
            except ValueError:
                break
    raise ValueError(
        f"unknown number format {name!r}: use [u]dybitN (N from 2 to 8), [u]intN (N from 2 to 14) or [u]eXmY (X 2 or "
        "3, all 8 bits at most), such as dybit4 or e2m1"
    )


def usual_roundings(base: Format) -> str:
    """What a core of a base rounds to if nobody says otherwise, as `roundings_of` reads it."""
    return base.name if base.rounding.number > dybit_rounding(MAX_BITS).number else "dybit"


def roundings_of(names: str, level_max: int) -> tuple[Rounding, ...]:
    """Roundings of formats by name, joined by ``+``, whose levels must not exceed ``level_max``; ``dybit`` stands for
    all DyBit formats that do not.

    Raises
    ------
    ValueError
        If there is no such format, its levels are one apart everywhere, or one exceeds ``level_max``.
    """
    found: list[Rounding] = []
    for name in names.split("+"):
        if name == "dybit":
            roundings = (dybit_rounding(width) for width in range(1, MAX_BITS + 1))
            found += (rounding for rounding in roundings if rounding.top <= level_max)
            continue
        fmt = parse_format(name)
        if fmt.rounding == INTEGERS:
            raise ValueError(f"every core rounds to integers, leave {name} out")
        if fmt.top > level_max:
            raise ValueError(f"{name} has levels to {fmt.top}, the core writes levels to {level_max}: set more planes")
        found.append(fmt.rounding)
    return tuple(dict.fromkeys(found))
