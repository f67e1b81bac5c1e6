"""Format and scale of the network's input: with room for what calibration samples did not show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.formats import MAX_BITS, Int
from .tensors import Choice, exact_integers, exact_steps

__all__ = ["choose_input", "finer"]

_FEW = 8
"""Samples below which no end of their range counts as reached on purpose."""

_FEW_ROOM, _MOST_ROOM = 1.25, 1.5
"""How far beyond its values a range reaches: for few samples, and at most."""

_TEN_TIMES = float(np.log(10) * np.sqrt(6) / np.pi)
"""Standard deviations of a Gumbel variable between the largest of some and of ten times as many."""

_PIXEL_STEPS = ((1 / 255, 0), (1 / 256, 0), (1 / 128, 128))
"""Steps of images that were scaled, and their zero levels: x/255, x/256, x/128 - 1."""

_PIXELS = Int(8, signed=False)


def choose_input(values: NDArray, bits: int | None = None) -> Choice:
    """Scale, zero level and format of the network's input, such that other samples fit, too.

    Integers of up to 8 bits are exact: the whole of uint8 or int8. They have a narrower format only where most samples
    reach both ends of their range, as binary inputs and inputs of few levels do. Images that were scaled to 0..1 or
    -1..1 keep their 256 values, and other multiples of a step theirs. Anything else has 8 bits that clamp no
    calibration value; an end that some samples share counts as known, beyond any other lies room: as much as ten times
    as many samples would need whose extremes follow a Gumbel distribution.

    Parameters
    ----------
    values : array, shape (N, ...)
        Calibration samples.
    bits : int, optional
        At most so many, for the same range: fewer products and a smaller certificate of the layers that read it, for
        steps that are as much coarser.
    """
    samples = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    choice = _exact_or_roomy(samples)
    return choice if bits is None or choice.format.bits <= bits else _coarser(choice, bits, samples)


def finer(choice: Choice) -> Choice:
    """The same values as levels so many times as large as 8 bits hold; a choice of 8 bits as it is.

    Beside a tensor of a much smaller scale whose products are summed with the input's, few large steps would leave one
    of both no weights: all products of a sum have one scale.
    """
    wide = Int(MAX_BITS, signed=choice.format.signed)
    times = wide.top // choice.format.top
    if choice.format.bits >= MAX_BITS or times < 2:
        return choice
    return Choice(wide, choice.scale / times, choice.zero * times, choice.error)


def _exact_or_roomy(samples: NDArray[np.float64]) -> Choice:
    ends = samples.min(axis=1), samples.max(axis=1)
    low, high = float(ends[0].min()), float(ends[1].max())
    if (samples == np.rint(samples)).all() and low >= -128 and high <= (127 if low < 0 else 255):
        return _integers(samples, low, ends)
    for step, zero in _PIXEL_STEPS:
        levels = samples / step + zero
        if levels.min() >= -0.5 and levels.max() <= 255.5 and (low < 0) == (zero > 0) and _are_whole(levels):
            return Choice(_PIXELS, step, zero, 0.0)
    if (exact := exact_steps(samples)) is not None:
        return exact
    return _roomy(_reach(-ends[0]) if low < 0 else 0.0, _reach(ends[1]) if high > 0 else 0.0, samples)


def _integers(samples: NDArray[np.float64], low: float, ends: tuple[NDArray, NDArray]) -> Choice:
    reached = all((end == extreme).mean() >= 0.5 for end, extreme in zip(ends, (low, ends[1].max()), strict=True))
    if len(samples) >= _FEW and reached and (fmt := exact_integers(samples)) is not None:
        return Choice(fmt, 1.0, 0, 0.0)
    if low == -128:
        return Choice(_PIXELS, 1.0, 128, 0.0)
    return Choice(Int(8, signed=low < 0), 1.0, 0, 0.0)


def _are_whole(levels: NDArray[np.float64]) -> bool:
    """Whether float32 values are multiples of a step, and too many to be that by chance."""
    whole = np.rint(levels)
    return bool((np.abs(levels - whole) < 1e-3).all()) and np.unique(whole).size >= 16


def _reach(ends: NDArray[np.float64]) -> float:
    """How far a range must reach, from the largest value of each sample."""
    largest = float(ends.max())
    if len(ends) < _FEW:
        return _FEW_ROOM * largest
    if (ends == largest).sum() >= max(2, len(ends) // 20):
        return largest
    return min(largest + _TEN_TIMES * float(ends.std()), _MOST_ROOM * largest)


def _roomy(below: float, above: float, samples: NDArray[np.float64]) -> Choice:
    """The finest scale, and its zero level, at which 8 bits hold everything from ``-below`` to ``above``."""
    fmt = Int(MAX_BITS, signed=below > 0)
    if not below and not above:
        return Choice(fmt, 1.0, 0, 0.0)
    zeros = fmt.levels[fmt.levels <= 0] if not below else fmt.levels
    up, down = (fmt.top - zeros).astype(np.float64), (zeros - fmt.bottom).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        scales = np.maximum(np.where(above > 0, above / up, 0.0), np.where(below > 0, below / down, 0.0))
    at = int(np.argmin(scales))
    scale, zero = float(scales[at]), int(zeros[at])
    rounded = (fmt.quantise(samples / scale + zero) - zero) * scale
    return Choice(fmt, scale, zero, float(np.square(rounded - samples).mean()))


def _coarser(choice: Choice, bits: int, samples: NDArray[np.float64]) -> Choice:
    """A choice's range in fewer bits; zero stays a level."""
    wide, fmt = choice.format, Int(bits, signed=choice.format.signed)
    scale = choice.scale * (wide.top - wide.bottom) / (fmt.top - fmt.bottom)
    zero = fmt.bottom + round((choice.zero - wide.bottom) * choice.scale / scale)
    rounded = (fmt.quantise(samples / scale + zero) - zero) * scale
    return Choice(fmt, scale, zero, float(np.square(rounded - samples).mean()))
