"""Scale, zero level and clamp of each tensor: what loses least of its values (docs/numerics.md, sections 1 and 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.digits import Digits
from ...hw.spec.formats import MAX_BITS, Format, Int
from ..errors import CapacityError, ModelError
from ..grids import Grid
from ..quantised import QuantisedTensor

__all__ = ["LARGEST", "Choice", "choose", "describe", "exact_integers", "exact_steps", "on_grid"]

_SAMPLES = 65536
_GRID_POINTS = 160
_WIDE_BITS = 6
"""From this width on levels are so dense near zero that the best scale may map the maximum to a very small level."""

_SPAN_TOLERANCE = 1.02
"""A narrower span of levels, so narrower sums, is worth this much of the mean square error."""

_DIFFERENT = 32
"""Different values from which on their common step is no accident."""

_EXACT = 1e-3
"""How far from a whole number of steps a value may be, in steps: what float32 leaves of an earlier quantiser's."""


@dataclass(frozen=True)
class Choice:
    """Format, scale and zero level of a tensor, with the mean square error they cost on calibration values."""

    format: Format
    scale: float
    zero: int
    error: float


LARGEST = 1e15
"""Values beyond are no network's: their squares leave float32, and NaN is none at all."""


def choose(values: NDArray, fmt: Format) -> Choice:
    """Scale and zero level of least mean square error.

    Every level that could be the zero level is tried (of formats with many levels: 0, both ends and the powers of two),
    each with scales on a logarithmic grid from 0.15 to 5 times (wide formats: 80 times) the one that maps the largest
    value to the end of the range.

    Parameters
    ----------
    values : array of float, any shape
        What the tensor holds on calibration samples.
    fmt : Format
    """
    ordered = _ordered(values)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    largest = float(np.abs(ordered[[0, -1]]).max())
    if largest == 0.0:
        return Choice(fmt, 1.0, 0, 0.0)
    if not largest < LARGEST:
        raise ModelError(f"the model computes values up to {largest:.3g}: train or export it again")
    grid = np.append(np.geomspace(0.15, 80.0 if fmt.bits >= _WIDE_BITS else 5.0, _GRID_POINTS), 1.0)
    best: list[tuple[float, int, Choice]] = []
    for zero in _zero_levels(fmt, float(ordered[0])):
        levels = fmt.levels
        if ordered[0] >= 0:  # a clamp or the data keep the levels below zero unused
            levels = levels[levels >= zero]
        offsets = (levels - zero).astype(np.float64)
        if ordered[-1] > 0 and offsets[-1] <= 0:
            continue
        reach = max(offsets[-1], -offsets[0])
        scales = grid * largest / reach
        errors = _errors(ordered, sums, offsets, scales)
        at = int(errors.argmin())
        span = max(0, int(levels[-1])) - min(0, int(levels[0]))
        best.append((float(errors[at]), span, Choice(fmt, float(scales[at]), zero, float(errors[at]))))
    least = min(error for error, _, _ in best)
    near = [entry for entry in best if entry[0] <= least * _SPAN_TOLERANCE]
    return min(near, key=lambda entry: (entry[1], entry[0]))[2]


def _ordered(values: NDArray) -> NDArray[np.float64]:
    values = np.asarray(values)
    if values.size > _SAMPLES:
        picked = np.random.default_rng(0).choice(values.size, _SAMPLES, replace=False)
        values = values[np.unravel_index(picked, values.shape)]
    return np.sort(values.astype(np.float64), axis=None)


def _zero_levels(fmt: Format, smallest: float) -> list[int]:
    levels = fmt.levels if smallest < 0 else fmt.levels[fmt.levels <= 0]
    if fmt.bits < _WIDE_BITS:
        return levels.tolist()
    magnitudes = np.abs(levels)
    ends = magnitudes == magnitudes.max()
    return levels[ends | (magnitudes & (magnitudes - 1) == 0)].tolist()


def _errors(ordered: NDArray, sums: NDArray, offsets: NDArray, scales: NDArray) -> NDArray[np.float64]:
    """Mean square error of each scale, from prefix sums of the sorted values: no value is touched twice."""
    real = scales[:, np.newaxis] * offsets
    edges = np.searchsorted(ordered, (real[:, 1:] + real[:, :-1]) / 2)
    bounds = np.pad(edges, ((0, 0), (1, 1)), constant_values=(0, ordered.size))
    counts, totals = np.diff(bounds, axis=1), np.diff(sums[bounds], axis=1)
    errors = (np.square(ordered).sum() + (np.square(real) * counts - 2 * real * totals).sum(axis=1)) / ordered.size
    return np.maximum(errors, 0.0)  # where nothing is lost, what is left of the sums may lie below


def exact_integers(values: NDArray, most: int = MAX_BITS) -> Format | None:
    """Narrowest integer format of at most so many bits that holds all values exactly at scale 1, if one does."""
    values = np.asarray(values)
    if not np.array_equal(values, np.rint(values)):
        return None
    low, high = int(values.min()), int(values.max())
    formats = (Int(bits, signed=low < 0) for bits in range(2, most + 1))
    return next((fmt for fmt in formats if fmt.bottom <= low and high <= fmt.top), None)


def exact_steps(values: NDArray) -> Choice | None:
    """Integers of 8 bits that hold all values exactly: pixels over 255, codes of an earlier quantiser.

    None if there is no such step, or too few different values to tell. The room that is left is at both ends, of values
    that are never negative at the upper one.
    """
    different = np.unique(np.asarray(values, dtype=np.float64))
    fmt = Int(8, signed=bool(different[0] < 0))
    most = fmt.top - fmt.bottom
    if not _DIFFERENT <= different.size <= most + 1:
        return None
    reach, gap = max(different[-1], 0.0) - min(different[0], 0.0), float(np.diff(different).max())
    for parts in range(1, most + 1):  # the step divides every gap: it is the largest one, its half, its third, ...
        if reach * parts > (most + 0.5) * gap:
            return None
        scale = reach / np.rint(reach * parts / gap)  # of the reach, in which an error of the gap is smallest
        levels = np.rint(different / scale)
        if np.abs(different / scale - levels).max() <= _EXACT:
            zero = -int((levels[0] + levels[-1]) // 2) if fmt.signed else 0
            return Choice(fmt, float(scale), zero, 0.0)
    return None


def describe(name: str, shape: tuple[int, int, int], choice: Choice, low: float, high: float) -> QuantisedTensor:
    """The tensor with its clamp, given in real values (infinite: the ends of the format)."""
    fmt = choice.format
    clamp_low, clamp_high = (int(fmt.quantise(bound / choice.scale + choice.zero)) for bound in (low, high))
    return QuantisedTensor(
        name=name, shape=shape, format=fmt, scale=choice.scale, zero=choice.zero, low=clamp_low, high=clamp_high
    )


def on_grid(
    name: str, shape: tuple[int, int, int], grid: Grid, low: float, high: float, digits: Digits
) -> QuantisedTensor:
    """The tensor whose levels are the integers of a trained grid, all moved by the same number.

    They are moved to where they need the fewest digits: 0..7 becomes -4..3, one digit.

    Parameters
    ----------
    low, high : float
        Clamp before rounding, in real values (infinite: the ends of the grid).
    digits : Digits
        Of the core.

    Raises
    ------
    CapacityError
        If the zero point lies so far from the integers that no format holds both.
    """
    if grid.bipolar:
        return QuantisedTensor(name=name, shape=shape, format=Int(2), scale=grid.scale, zero=0, low=-1, high=1)
    first, last = (int(q) for q in grid.integers((low, high)))
    ends = min(first, grid.zero), max(last, grid.zero)
    fitting: list[tuple[tuple[int, int, int, int], QuantisedTensor]] = []
    for move in (0, -ends[0], -((ends[0] + ends[1] + 1) // 2)):
        fmt = exact_integers(np.add(ends, move), MAX_BITS + 1)  # one more: formats are symmetric, -128 is beyond int8
        if fmt is not None:
            tensor = QuantisedTensor(
                name=name,
                shape=shape,
                format=fmt,
                scale=grid.scale,
                zero=grid.zero + move,
                low=first + move,
                high=last + move,
            )
            low_level, high_level = tensor.span
            planes = digits.count(np.arange(low_level, high_level + 1))
            fitting.append(((planes, max(fmt.bits, MAX_BITS), high_level - low_level, abs(move)), tensor))
    if not fitting:
        raise CapacityError(
            f"tensor {name!r} has codes from {first} to {last} and its zero point at {grid.zero}: no format of "
            f"{MAX_BITS} bits holds both, train with a zero point among the codes"
        )
    return min(fitting, key=lambda entry: entry[0])[1]
