"""Rescalers for trained grids: bias, multiplicand and shift whose steps lie where a trained quantiser has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ..grids import Rounding
from .steps import first_sums

__all__ = ["Line", "Rescaling", "fit_gain", "fit_sign", "fit_steps"]

_RARE = 1e-4
"""Weight of a sum that calibration samples never come near."""

_SHIFT_MAX = 52
"""Largest shift tried: twice a level, shifted so far, still fits 64 bits."""

_BIASES = 12
"""Biases tried on both sides of the line's own."""

_TIE = 1e-6
"""A sign's step this close to a sum (in units of sums) lies on it."""


@dataclass(frozen=True)
class Line:
    """``y = gain * sum + offset`` in output levels for sums from ``low`` to ``high``, by channel: all of shape (O,).

    The machine may be given ``every`` times the sums, as weights times that factor make them. ``mean`` and ``spread``
    say which sums calibration samples gave: errors there cost more.
    """

    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    every: int = 1

    def weight(self, sums: NDArray[np.int64]) -> NDArray[np.float64]:
        """How often samples give sums (O, J), relative to the most frequent one; never quite 0."""
        away = (sums - 0.5 - self.mean[:, np.newaxis]) / np.maximum(self.spread[:, np.newaxis], 1.0)
        return np.exp(-np.square(away) / 2) + _RARE


@dataclass(frozen=True)
class Rescaling:
    """Rescaler of each channel; for how many sums it gives another level than it should, and their weight: all (O,)."""

    bias: NDArray[np.int64]
    multiplicand: NDArray[np.int64]
    shift: NDArray[np.int64]
    wrong: NDArray[np.int64]
    cost: NDArray[np.float64]

    @staticmethod
    def of(
        bias: NDArray[np.int64], multiplicand: NDArray[np.int64], shift: NDArray[np.int64], wrong: NDArray[np.int64]
    ) -> Rescaling:
        """One whose wrong sums all weigh the same."""
        return Rescaling(bias, multiplicand, shift, wrong, wrong.astype(np.float64))

    def better(self, other: Rescaling) -> tuple[Rescaling, NDArray[np.bool_]]:
        """The cheaper of two for each channel, and where that is the other."""
        take = other.cost < self.cost
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return Rescaling(*(np.where(take, b, a) for a, b in pairs)), take


def fit_gain(line: Line, zero: int, config: AcceleratorConfig) -> Rescaling:
    """The nearest multiplicand and bias, for outputs that no grid prescribes."""
    gain = np.where(line.gain == 0, 1.0, line.gain) / line.every
    multiplicand, shift = _nearest(gain, config)[0]
    bias = _clipped(np.rint((line.offset - zero) / gain), config)
    return Rescaling.of(bias, multiplicand, shift, np.zeros_like(bias))


def _clipped(bias: NDArray, config: AcceleratorConfig) -> NDArray[np.int64]:
    """Biases in the range of their field, both ends odd, so that odd ones stay odd."""
    limit = (1 << (config.bias_width - 1)) - 1
    return np.clip(bias, -limit, limit).astype(np.int64)


def fit_sign(line: Line, config: AcceleratorConfig) -> Rescaling:
    """Levels -1 and 1 by the sign of the line (1 for 0), for machine sums that are even: an odd bias keeps 0 out."""
    if line.every % 2:
        raise ValueError(f"sums that are multiples of {line.every} may be odd")
    first = np.ceil(-line.offset / np.where(line.gain == 0, 1.0, line.gain) - _TIE)
    first = np.where(line.gain == 0, np.where(line.offset >= 0, -np.inf, np.inf), first)
    first = np.clip(first, line.low, line.high + 1).astype(np.int64)
    bias = 1 - line.every * first
    kept = _clipped(bias, config)
    half = np.full_like(bias, 1 << (config.rescale_bits - 1))
    return Rescaling.of(kept, half, np.zeros_like(bias), np.abs(bias - kept))


def fit_steps(
    line: Line,
    zero: int,
    levels: tuple[int, int],
    config: AcceleratorConfig,
    *,
    rounding: Rounding = Rounding.EVEN,
    moved: int = 0,
    count: int = 1,
) -> Rescaling:
    """The rescaler with the least weight of sums that come out at another level than the trained quantiser's.

    The output shall reach level j from the sum ``n_j`` on. With a bias B it does at slope ``m / 2**s`` if

        (every * (n_j - 1) + B) * slope  <  j - 1/2 - Z  <=  (every * n_j + B) * slope

    so for each bias near the line's own the right slopes are one interval, and its middle is tried; beside that, slopes
    near the gain are, with the biases that suit them.

    Parameters
    ----------
    line : Line
    zero : int
        Zero level Z of the output.
    levels : (int, int)
        Lowest and highest output level; all integers in between are levels.
    config : AcceleratorConfig
    rounding : Rounding
        Of the trained quantiser.
    moved : int
        Levels are the grid's integers and this number.
    count : int
        Of values that a `Rounding.MEAN` is of.
    """
    if levels[0] == levels[1]:
        half = np.full(len(line.gain), 1 << (config.rescale_bits - 1))
        return Rescaling.of(np.zeros_like(half), half, np.zeros_like(half), np.zeros_like(half))
    flat = (line.gain <= 0) | (line.low == line.high)  # one sum only: any slope through its value will do
    gain = np.where(flat, 1.0, line.gain)
    offset = np.where(flat, line.offset + (line.gain - 1.0) * line.low, line.offset)
    line = replace(line, gain=gain, offset=offset)
    level = np.arange(levels[0] + 1, levels[1] + 1)
    low, high = line.low[:, np.newaxis], line.high[:, np.newaxis]
    sums = first_sums(line.gain, line.offset, level, zero, rounding, moved, count)
    wanted = np.clip(sums, low, high + 1).astype(np.int64)
    weight = line.weight(wanted)

    best: Rescaling | None = None
    doubled = 2 * (level - zero) - 1
    for (multiplicand, shift), biases in _candidates(line, doubled, wanted, zero, config):
        first = -((-doubled << shift[:, np.newaxis]) // (2 * multiplicand[:, np.newaxis]))
        for bias in biases or _biases(first, wanted, line, weight):
            bias = _clipped(bias, config)
            steps = np.clip(-((bias[:, np.newaxis] - first) // line.every), low, high + 1)
            away = np.abs(steps - wanted)
            found = Rescaling(bias, multiplicand, shift, away.sum(axis=1), (away * weight).sum(axis=1))
            best = found if best is None else best.better(found)[0]
    assert best is not None
    return best


def _candidates(
    line: Line, doubled: NDArray[np.int64], wanted: NDArray[np.int64], zero: int, config: AcceleratorConfig
) -> Iterator[tuple[tuple[NDArray[np.int64], NDArray[np.int64]], list[NDArray[np.int64]]]]:
    """Multiplicands with shifts, and the biases to try with them (none: those that suit)."""
    slope = line.gain / line.every
    for found in _nearest(slope, config):
        yield found, []
    own = np.rint((line.offset - zero) / slope)
    for distance in range(-_BIASES, _BIASES + 1):
        bias = _clipped(own + distance, config)
        low, high = _slopes(line, doubled / 2, wanted, bias)
        within = np.where((low <= slope) & (slope <= high), slope, low)
        middle = np.where((low < high) & np.isfinite(high), (low + high) / 2, within)
        middle = np.where(np.isfinite(middle) & (middle > 0), middle, slope)
        yield _nearest(middle, config)[0], [bias]


def _slopes(
    line: Line, level: NDArray[np.float64], wanted: NDArray[np.int64], bias: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of slopes (O,) at which every step is in place; ``level`` (J,) is where the line crosses it, less Z."""
    after = line.every * wanted + bias[:, np.newaxis]
    before = after - line.every
    reached, missed = wanted <= line.high[:, np.newaxis], wanted > line.low[:, np.newaxis]
    up = level > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(up & reached, np.where(after > 0, level / after, np.inf), 0.0)
        low = np.where(~up & missed, np.where(before < 0, level / before, np.inf), low)
        high = np.where(up & missed & (before > 0), level / before, np.inf)
        high = np.where(~up & reached & (after < 0), level / after, high)
    return low.max(axis=1), high.min(axis=1)


def _nearest(gain: NDArray[np.float64], config: AcceleratorConfig) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Multiplicands and shifts near a gain, the nearest first."""
    bits = config.rescale_bits
    fraction, exponent = np.frexp(np.maximum(gain, np.finfo(np.float64).tiny))
    centre = np.rint(fraction * (1 << bits)).astype(np.int64)
    reach = [*range(1, 5), *(1 << power for power in range(3, max(4, bits - 8)))]
    found = []
    for distance in (0, *(sign * step for step in reach for sign in (1, -1))):
        multiplicand, shift = centre + distance, bits - exponent.astype(np.int64)
        over = multiplicand >= 1 << bits
        multiplicand, shift = np.where(over, multiplicand >> 1, multiplicand), shift - over
        multiplicand = np.where(shift < 0, (1 << bits) - 1, multiplicand)  # steeper than any rescaler
        multiplicand = np.clip(multiplicand, 1 << (bits - 1), (1 << bits) - 1)
        found.append((multiplicand, np.clip(shift, 0, min(_SHIFT_MAX, config.shift_max))))
    return found


def _biases(
    first: NDArray[np.int64], wanted: NDArray[np.int64], line: Line, weight: NDArray[np.float64]
) -> list[NDArray[np.int64]]:
    """Biases (O,) that put all steps right, where there is such a one, and ones that put them as near as can be.

    Steps that no sum reaches only have to stay out of reach.
    """
    low, high = line.low[:, np.newaxis], line.high[:, np.newaxis]
    inside = (wanted > low) & (wanted <= high)
    difference = first - line.every * wanted
    nothing = np.iinfo(np.int64)
    least = np.where(wanted <= high, difference, nothing.min).max(axis=1)
    most = np.where(wanted > low, difference + line.every - 1, nothing.max).min(axis=1)
    above, below = (wanted > high).all(axis=1), (wanted <= low).all(axis=1)
    whole = np.where(above, most, np.where(below, least, least // 2 + most // 2 + (least % 2 + most % 2) // 2))
    cheapest = _weighted_median(difference, np.where(inside, weight, 0.0))
    step = np.where(inside.any(axis=1), cheapest, whole)
    return [whole, *(step + part * (line.every - 1) // 4 for part in range(5))]


def _weighted_median(values: NDArray[np.int64], weight: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of each row: from where the weighted sum of distances is least."""
    order = np.argsort(values, axis=1)
    total = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    at = (total < total[:, -1:] / 2).sum(axis=1, keepdims=True).clip(0, values.shape[1] - 1)
    return np.take_along_axis(values, np.take_along_axis(order, at, axis=1), axis=1)[:, 0]
