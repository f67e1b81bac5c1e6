"""Number formats: which small integers (levels) a code of a few bits can stand for."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MAX_BITS", "MAX_INT_BITS", "MIN_BITS", "DyBit", "Format", "Int", "parse_format"]

MIN_BITS = 2
MAX_BITS = 8
"""Widest DyBit code."""

MAX_INT_BITS = 15
"""Widest signed integer: five digits hold it. Such widths are for sums that leave the network unrounded."""


def _dybit_magnitudes(width: int) -> tuple[int, ...]:
    """Levels of a DyBit magnitude of ``width`` bits, in code order (arXiv 2302.12510; `docs/numerics.md`)."""
    levels = []
    for code in range(1 << width):
        ones = 0
        while ones < width and (code >> (width - 1 - ones)) & 1:
            ones += 1
        if ones == width:
            levels.append(1 << (2 * width - 2))
        elif ones == 0:
            levels.append(code)
        else:
            mantissa_bits = width - 1 - ones
            mantissa = code & ((1 << mantissa_bits) - 1)
            levels.append(((1 << mantissa_bits) + mantissa) << (2 * ones - 1))
    return tuple(levels)


@dataclass(frozen=True)
class Format:
    """A number format: data, not code paths. Everything that needs its levels reads them here.

    Parameters
    ----------
    name : str
        What users type, for example ``dybit4`` or ``uint8``.
    kind : str
        ``"dybit"`` or ``"int"``: how the hardware encoder rounds to it.
    bits : int
        Width of a code, sign included.
    signed : bool
        A signed code is ``sign << magnitude_bits | magnitude`` (sign-magnitude, for INT too).
    magnitudes : tuple of int
        Level of each magnitude code, in code order; strictly increasing from 0.
    """

    name: str
    kind: str
    bits: int
    signed: bool
    magnitudes: tuple[int, ...]

    @property
    def magnitude_bits(self) -> int:
        """Width of the magnitude field, in bits."""
        return self.bits - 1 if self.signed else self.bits

    @property
    def top(self) -> int:
        """Largest level."""
        return self.magnitudes[-1]

    @property
    def bottom(self) -> int:
        """Smallest level."""
        return -self.top if self.signed else 0

    @functools.cached_property
    def levels(self) -> NDArray[np.int64]:
        """All levels in increasing order, each once."""
        positive = np.array(self.magnitudes, dtype=np.int64)
        return np.concatenate([-positive[:0:-1], positive]) if self.signed else positive

    @functools.cached_property
    def _midpoints(self) -> NDArray[np.float64]:
        return (self.levels[1:] + self.levels[:-1]) / 2.0

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
        if np.isnan(values).any():
            raise ValueError(f"cannot quantise NaN to {self.name}")
        return self.levels[np.searchsorted(self._midpoints, values, side="right")]

    def encode(self, levels: ArrayLike) -> NDArray[np.int64]:
        """Code of each level; the inverse of :meth:`decode` (minus zero is never produced).

        Raises
        ------
        ValueError
            If a value is not one of the format's levels.
        """
        levels = np.asarray(levels, dtype=np.int64)
        table = np.array(self.magnitudes, dtype=np.int64)
        magnitude = np.abs(levels)
        codes = np.minimum(np.searchsorted(table, magnitude), len(table) - 1)
        wrong = (table[codes] != magnitude) | ((levels < 0) & (not self.signed))
        if wrong.any():
            raise ValueError(f"{int(levels[wrong].flat[0])} is not a level of {self.name}")
        return np.where(levels < 0, codes | (1 << self.magnitude_bits), codes)

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Level of each code; minus zero decodes to 0.

        Raises
        ------
        ValueError
            If a code does not fit the format's bits.
        """
        codes = np.asarray(codes, dtype=np.int64)
        wrong = (codes < 0) | (codes >= 1 << self.bits)
        if wrong.any():
            raise ValueError(f"code {int(codes[wrong].flat[0])} does not fit the {self.bits} bits of {self.name}")
        magnitude = np.array(self.magnitudes, dtype=np.int64)[codes & ((1 << self.magnitude_bits) - 1)]
        return np.where(codes >> self.magnitude_bits, -magnitude, magnitude)

    def __str__(self) -> str:
        return self.name


def _most_bits(kind: str, signed: bool) -> int:
    return MAX_BITS if kind == "dybit" else MAX_INT_BITS - (not signed)


def _check_bits(bits: int, most: int) -> None:
    if not isinstance(bits, int) or isinstance(bits, bool):
        raise TypeError(f"bits must be an int, not {bits!r}")
    if not MIN_BITS <= bits <= most:
        raise ValueError(f"bits must be {MIN_BITS} to {most}, not {bits!r}")


@functools.cache
def DyBit(bits: int, signed: bool = True) -> Format:  # noqa: N802 - reads as the name of a format
    """DyBit format of 2 to 8 bits: a run of leading ones is the exponent, the rest the mantissa."""
    _check_bits(bits, _most_bits("dybit", signed))
    width = bits - 1 if signed else bits
    return Format(f"{'' if signed else 'u'}dybit{bits}", "dybit", bits, signed, _dybit_magnitudes(width))


@functools.cache
def Int(bits: int, signed: bool = True) -> Format:  # noqa: N802 - reads as the name of a format
    """Integer format of 2 to 15 bits (unsigned 14); signed ones are symmetric, ``+-(2**(bits - 1) - 1)``."""
    _check_bits(bits, _most_bits("int", signed))
    width = bits - 1 if signed else bits
    return Format(f"{'' if signed else 'u'}int{bits}", "int", bits, signed, tuple(range(1 << width)))


_KINDS: dict[str, Callable[[int, bool], Format]] = {"dybit": DyBit, "int": Int}


def parse_format(name: str) -> Format:
    """Format of a name such as ``dybit4``, ``int8``, ``udybit4`` or ``uint8``.

    Raises
    ------
    ValueError
        If the name is not ``[u](dybit|int)N`` with ``N`` from 2 to 8, or to 15 for ``int``, 14 for ``uint``.
    """
    match = re.fullmatch(r"(u?)(dybit|int)([1-9]\d?)", name)
    if match is not None:
        kind, signed, bits = match[2], not match[1], int(match[3])
        if MIN_BITS <= bits <= _most_bits(kind, signed):
            return _KINDS[kind](bits, signed)
    raise ValueError(
        f"unknown number format {name!r}: use [u]dybitN (N from 2 to 8) or [u]intN (N from 2 to 14), such as dybit4"
    )
