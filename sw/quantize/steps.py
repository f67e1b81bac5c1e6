"""Where a trained quantiser steps: the first sum of each level, by the arithmetic that the model was made for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..grids import Rounding

__all__ = ["first_sums"]

_TIE = 1e-6
"""A step this close to a sum (in units of sums) lies on it: scales come as float32."""

_WHOLE, _WHOLE_PART = 1e-3, 2e-7
"""How far from an integer a bias may be that is one in the model's own arithmetic: in units of sums, or as a part of
itself, since the scale that it comes with is rounded to float32."""

_MULTIPLICAND_BITS = 31


def first_sums(
    gain: NDArray[np.float64],
    offset: NDArray[np.float64],
    level: NDArray[np.int64],
    zero: int,
    rounding: Rounding,
    moved: int,
    count: int = 1,
) -> NDArray[np.float64]:
    """First sum (O, J), an integer, that comes out at each level or above.

    Parameters
    ----------
    gain, offset : array, shape (O,)
        Levels of a sum before rounding are ``gain * sum + offset``; gains are positive.
    level : array, shape (J,)
    zero : int
        Level of the real value 0.
    rounding : Rounding
    moved : int
        Levels are the grid's integers and this number.
    count : int
        Of values that a `Rounding.MEAN` is of: a sum's gain is a ``count``-th of theirs.
    """
    place = (level - 0.5 - offset[:, np.newaxis]) / gain[:, np.newaxis]
    on_sum = np.abs(place - np.rint(place)) < _TIE
    if rounding is Rounding.EVEN:
        stays = (level - moved) % 2  # the integer above a tie is odd: the tie goes to the one below
    elif rounding is Rounding.UP:
        stays = 0
    else:
        stays = level <= (moved if rounding is Rounding.CODE_AWAY else zero)
    sums = np.where(on_sum, np.rint(place) + stays, np.ceil(place))
    if rounding in (Rounding.TWICE, Rounding.MEAN):
        bias = (offset - zero) / gain
        whole = np.abs(bias - np.rint(bias)) < np.maximum(_WHOLE, np.minimum(_WHOLE_PART * np.abs(bias), 0.25))
        parts = count if rounding is Rounding.MEAN else 1
        sums[whole] = _rounded_twice(gain[whole] * parts, np.rint(bias[whole]), level - zero, parts)
    return sums


def _rounded_twice(
    gain: NDArray[np.float64], bias: NDArray[np.float64], above: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """First sum (O, J) whose total with its bias (O,) comes to integers ``above`` (J,) the zero point.

    The total times ``q`` of ``gain = q * 2**e`` is rounded first: for e < 0 to an integer that ``2**-e`` divides. Where
    it is divided by a ``count``, q is, after it was multiplied by the largest power of two in there.
    """
    fraction, exponent = np.frexp(gain)
    multiplicand = np.rint(fraction * (1 << _MULTIPLICAND_BITS))
    over = multiplicand == 1 << _MULTIPLICAND_BITS  # a gain just below a power of two is that power
    multiplicand, exponent = np.where(over, multiplicand / 2, multiplicand), exponent + over
    power = count.bit_length() - 1
    multiplicand, exponent = np.floor(multiplicand * (1 << power) / count), exponent - power
    right, left = np.maximum(-exponent, 0)[:, np.newaxis], np.maximum(exponent, 0)[:, np.newaxis]
    half = np.where(right > 0, np.exp2(right - 1), 0.0)
    least = np.exp2(right) * above - half + ((above <= 0) & (right > 0))
    whole = np.exp2(_MULTIPLICAND_BITS)
    # Integers beyond 2**53 may be off by their last bits here: those are sums that no accumulator holds.
    total = np.ceil((least * whole - whole / 2) / (multiplicand[:, np.newaxis] * np.exp2(left)))
    return total - bias[:, np.newaxis]
