"""Digits: every operand as a row of digits that the one narrow multiplier understands."""

from __future__ import annotations

import functools
import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .formats import DyBit, Format, Int, parse_format
from .rounding import INTEGERS

__all__ = ["ACT_BYTE", "DIGITS_MAX", "Digits", "act_digits", "base_digits", "weight_digits"]

_BITS_MAX = 4
"""Widest format that may be base of both operands."""

_WEIGHT_BITS_MAX = 5
"""Widest integers that may be base of weights alone."""

ACT_BYTE = Format("int8", INTEGERS, 8, True, whole=True)
"""Base ``int8`` of activations: -128 to 127, all of a byte; the code of minus zero is -128."""

DIGITS_MAX = 15
"""Most digits of any format in any base: unsigned DyBit8 in ternary digits."""

_FEWEST = 3
"""Planes up to which `fewest_codes` looks for something better than digits."""


class Digits:
    """Digit planes over a base format: the format of one stored code and of one multiplier operand.

    Digits have radix ``2**shift``; every digit ``-radix/2 .. radix/2`` is a level of the base. The top digit may be any
    level up to `reach`.

    Parameters
    ----------
    base : Format
        Signed.
    multiple : int
        The radix is the largest power of ``2**multiple`` that the base allows, or if it allows none the largest power
        of two: sums are shifted by the smallest step that both operands' digits are apart (`AcceleratorConfig`).
    """

    def __init__(self, base: Format, multiple: int = 1) -> None:
        self.base = base
        reach = 0
        while reach + 1 in base.magnitudes:
            reach += 1
        self._reach = reach
        most = reach.bit_length()
        self._shift = most // multiple * multiple or most

    @property
    def code_bits(self) -> int:
        """Width of the place of a stored code, in bits: 2, 4 or 8, so that places never straddle a 32-bit beat.

        A code of 3 bits leaves the top bit of its place 0.
        """
        return 1 << (self.base.bits - 1).bit_length()

    @property
    def shift(self) -> int:
        """Base-2 logarithm of the radix: left shift of a sum between digit weights."""
        return self._shift

    @property
    def reach(self) -> int:
        """Largest r such that 0 .. r are all levels of the base; such a level is its own magnitude code."""
        return self._reach

    @functools.cached_property
    def most(self) -> int:
        """Most digits that any format needs: those of unsigned DyBit8."""
        return self.of_format(DyBit(8, signed=False))

    def span(self, planes: int) -> int:
        """Largest magnitude that ``planes`` digits hold; any smaller one fits them too (with one plane: up to `reach`).

        A digit position rounds half up, so that the top digit stays within `reach` while
        ``x < (reach + 1/2) * radix**(planes - 1)``; for DyBit4: 4, 35, 287, 2303, 18431.
        """
        return (((2 * self._reach + 1) << (self._shift * (planes - 1))) + 1) // 2 - 1

    def top(self, planes: int) -> int:
        """Largest magnitude of a level that ``planes`` digits can stand for; with one plane the largest of the base."""
        return -self.base.bottom if planes == 1 else max(-self.base.bottom, self.span(planes))

    def count(self, levels: ArrayLike) -> int:
        """Fewest planes for given levels: 1 if all are levels of the base, else as many digits as the largest needs.

        Raises
        ------
        ValueError
            If a level needs more digits than any format.
        """
        levels = np.asarray(levels, dtype=np.int64)
        if np.isin(levels, self.base.levels).all():
            return 1
        largest = int(np.abs(levels).max(initial=0))
        for planes in range(2, DIGITS_MAX + 1):
            if largest <= self.span(planes):
                return planes
        raise ValueError(f"level {largest} needs more than {DIGITS_MAX} digits of {self.base}")

    @functools.cache  # noqa: B019 - there are few bases, each made once
    def of_format(self, fmt: Format) -> int:
        """Planes in which any level of a format is stored."""
        return self.count(fmt.levels)

    def to_planes(self, levels: ArrayLike, planes: int) -> NDArray[np.uint8]:
        """Base codes of each digit of each level.

        With one plane a level is its base code; with more, digit ``i`` has weight ``B**i`` (``B = 2**shift``):
        ``p_0 = |x|``, ``p_i = (|x| + (B**i >> 1)) // B**i``, ``d_i = sign(x) * (p_i - B * p_(i+1))``, ``p_n = 0``.

        Parameters
        ----------
        levels : array of int, shape (...)
        planes : int
            At least 1.

        Returns
        -------
        array of uint8, shape (planes, ...)
            Plane 0 holds the least significant digit.

        Raises
        ------
        ValueError
            If a level does not fit.
        """
        levels = np.asarray(levels, dtype=np.int64)
        if planes == 1:
            return self.base.encode(levels).astype(np.uint8)[np.newaxis]
        magnitude = np.abs(levels)
        if magnitude.max(initial=0) > self.span(planes):
            raise ValueError(f"level {int(magnitude.max())} does not fit {planes} digits of {self.base}")
        halves = [(1 << (self._shift * i)) >> 1 for i in range(planes)]
        prefixes = [(magnitude + half) >> (self._shift * i) for i, half in enumerate(halves)]
        prefixes.append(np.zeros_like(magnitude))
        digits = np.stack([prefixes[i] - (prefixes[i + 1] << self._shift) for i in range(planes)])
        return self.base.encode(np.where(levels < 0, -digits, digits)).astype(np.uint8)

    @functools.cache  # noqa: B019 - there are few bases, each made once
    def code_sums(self, planes: int) -> NDArray[np.int64]:
        """Levels, in order, that any base codes in ``planes`` neighbouring planes add up to (:meth:`fewest_codes`)."""
        sums = np.zeros(1, dtype=np.int64)
        for plane in range(planes):
            sums = np.unique(sums[:, np.newaxis] + (self.base.levels << self._shift * plane))
        return sums

    def fewest_codes(self, levels: ArrayLike) -> NDArray[np.uint8]:
        """Codes of shape (planes, ...) that, weighted as digits, add up to given levels; fewest planes not all zero.

        Any level of the base may stand in any plane, not only a digit: with DyBit4, 23 is ``3 * 8 - 1`` and 40 is
        ``4 * 8 + 8``, so that two planes hold every level up to 36 and many more. For weights only: what the core
        writes itself are digits (:meth:`to_planes`).

        Raises
        ------
        ValueError
            If a level needs more digits than any format.
        """
        levels = np.asarray(levels, dtype=np.int64)
        low, high = int(levels.min(initial=0)), int(levels.max(initial=0))
        self.count([low, high])  # so wide a range is refused before a table of it is made
        places = levels - low
        present = np.zeros(high - low + 1, dtype=np.bool_)
        present[places] = True
        table = np.zeros((DIGITS_MAX, present.size), dtype=np.uint8)
        codes = self._fewest_codes(np.flatnonzero(present) + low)
        table[: len(codes), present] = codes
        return np.array([row[places] for row in table[: len(codes)]])

    def _fewest_codes(self, different: NDArray[np.int64]) -> NDArray[np.uint8]:
        """:meth:`fewest_codes` of levels that are in order, each once."""
        digits = self.to_planes(different, self.count(different))
        needed = int(digits.reshape(len(digits), -1).any(axis=1).sum())
        for count in range(1, min(needed, _FEWEST + 1)):
            choices = np.array(list(itertools.product(self.base.levels.tolist(), repeat=count)), dtype=np.int64)
            for planes in itertools.combinations(range(len(digits)), count):
                sums = choices @ (1 << (self._shift * np.array(planes, dtype=np.int64)))
                order = np.lexsort((np.abs(choices).sum(axis=1), sums))
                at = np.minimum(np.searchsorted(sums[order], different), len(order) - 1)
                if (sums[order][at] == different).all():
                    codes = np.zeros((planes[-1] + 1, len(different)), dtype=np.uint8)
                    found = choices[order[at]]
                    for place, plane in enumerate(planes):
                        codes[plane] = self.base.encode(found[..., place])
                    return codes
        return digits

    def from_planes(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Levels of base codes of shape (planes, ...); the inverse of :meth:`to_planes`."""
        digits = self.base.decode(codes)
        weights = 1 << (self._shift * np.arange(len(digits), dtype=np.int64))
        return np.tensordot(weights, digits, axes=1)


@functools.cache
def base_digits(name: str) -> Digits:
    """Digits over the base format of both operands, of a name such as ``dybit4``, ``int4`` or ``dybit2``.

    Raises
    ------
    ValueError
        If there is no such format, or it is not a base.
    """
    return Digits(_base(name))


def _base(name: str, further: Format | None = None) -> Format:
    """The format of a name, if it may be a base; ``further`` is one more that may."""
    if further is not None and name == further.name:
        return further
    fmt = parse_format(name)
    if not fmt.signed or fmt.bits > _BITS_MAX:
        known = f"2 to {_BITS_MAX} bits" + (f", or is {further}" if further is not None else "")
        raise ValueError(f"a base format is signed and has {known}, not {fmt}")
    return fmt


@functools.cache
def weight_digits(name: str) -> Digits:
    """Digits over a base format of weights: those that both operands may have, and ``int5``.

    Raises
    ------
    ValueError
        As :func:`base_digits` does.
    """
    return Digits(_base(name, Int(_WEIGHT_BITS_MAX)))


@functools.cache
def act_digits(name: str, weights: Digits) -> Digits:
    """Digits over a base format of activations beside those of weights: what both operands may have, and ``int8``
    (`ACT_BYTE`).

    Raises
    ------
    ValueError
        As :func:`base_digits` does.
    """
    return Digits(_base(name, ACT_BYTE), weights.shift)
