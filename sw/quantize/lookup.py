"""Curves as tables: which integers of 8 bits stand for the sums that are looked up, and the levels they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.formats import Int
from ...hw.spec.tables import TABLE_TOP
from ..curves import Function
from ..grids import Grid
from ..quantised import LevelTable, QuantisedTensor

__all__ = ["choose_integers", "integers_of_grid", "level_table"]

_SAMPLES = 8192
_FORMAT = Int(8)
_INTEGERS = np.arange(-TABLE_TOP, TABLE_TOP + 1)

_OCTAVES = 8
"""How far below the scale that covers all sums the finest one lies: curves are flat far out."""

_PER_OCTAVE = 8
_ZERO_STEP = 16


@dataclass(frozen=True)
class _Trial:
    """Mean square error of a scale and a zero level."""

    error: float
    scale: float
    zero: int


def choose_integers(
    name: str, shape: tuple[int, int, int], function: Function, sums: NDArray, scales: NDArray[np.float64] | None
) -> QuantisedTensor:
    """The integers -127 to 127, with the scale and zero level at which the function of sums loses least.

    What counts is the function's value, so that integers are spent where it is steep, not where it is flat.

    Parameters
    ----------
    name : str
        Of the tensor that the function's values become.
    shape : (C, H, W)
    function : Function
    sums : array of float, any shape
        What the function is applied to on calibration samples.
    scales : array of float or None
        Scales to choose from; None: any.
    """
    x = _sampled(sums)
    wanted = function(x)
    reach = max(float(np.abs(x).max(initial=0.0)), np.finfo(np.float32).tiny) / TABLE_TOP
    coarse = reach * np.exp2(np.arange(-_OCTAVES, 1 / _PER_OCTAVE, 1 / _PER_OCTAVE))
    if scales is not None:
        nearest = np.abs(np.log(scales / coarse[:, np.newaxis])).argmin(axis=1)
        coarse = scales[np.unique(nearest)]
    zeros = np.arange(-TABLE_TOP // _ZERO_STEP * _ZERO_STEP, TABLE_TOP + 1, _ZERO_STEP)
    zeros = np.concatenate([zeros.clip(-TABLE_TOP), [TABLE_TOP]])

    def trial(scale: float, zero: int) -> _Trial:
        table = function((_INTEGERS - zero) * scale)
        index = np.clip(np.rint(x / scale) + zero, -TABLE_TOP, TABLE_TOP).astype(np.int64) + TABLE_TOP
        return _Trial(float(np.square(table[index] - wanted).mean()), float(scale), int(zero))

    best = min((trial(scale, zero) for scale in coarse for zero in zeros.tolist()), key=lambda each: each.error)
    near = np.arange(max(-TABLE_TOP, best.zero - _ZERO_STEP), min(TABLE_TOP, best.zero + _ZERO_STEP) + 1, 2)
    best = min((trial(best.scale, zero) for zero in near.tolist()), key=lambda each: each.error)
    if scales is None:
        fine = best.scale * np.exp2(np.linspace(-1, 1, 15) / _PER_OCTAVE)
        best = min((trial(scale, best.zero) for scale in fine), key=lambda each: each.error)
    return QuantisedTensor(
        name=name, shape=shape, format=_FORMAT, scale=best.scale, zero=best.zero, low=-TABLE_TOP, high=TABLE_TOP
    )


def _sampled(sums: NDArray) -> NDArray[np.float64]:
    sums = np.asarray(sums)
    if sums.size > _SAMPLES:
        picked = np.random.default_rng(0).choice(sums.size, _SAMPLES, replace=False)
        sums = sums[np.unravel_index(picked, sums.shape)]
    return sums.astype(np.float64).ravel()


def integers_of_grid(name: str, shape: tuple[int, int, int], function: Function, grid: Grid) -> QuantisedTensor:
    """The integers of a trained grid, all moved by the same number; of 256 the end where less is lost is left out.

    Parameters
    ----------
    name, shape, function
        As for :func:`choose_integers`.
    grid : Grid
        Of the sums; its zero lies among its integers.
    """
    low, high = min(grid.low, grid.zero), max(grid.high, grid.zero)
    if high - low > 2 * TABLE_TOP:
        steps = np.abs(np.diff(function(grid.scale * (np.array([low, low + 1, high - 1, high]) - grid.zero))))
        low, high = (low + 1, high) if steps[0] <= steps[2] and grid.zero > low else (low, high - 1)
    move = int(np.clip(0, -TABLE_TOP - low, TABLE_TOP - high))
    return QuantisedTensor(
        name=name,
        shape=shape,
        format=_FORMAT,
        scale=grid.scale,
        zero=grid.zero + move,
        low=max(low, grid.low) + move,
        high=min(high, grid.high) + move,
    )


def level_table(
    function: Function, integers: QuantisedTensor, output: QuantisedTensor, grid: Grid | None
) -> LevelTable:
    """What the function makes of each integer, as levels of the output.

    Parameters
    ----------
    function : Function
    integers : QuantisedTensor
        As the functions above choose them.
    output : QuantisedTensor
    grid : Grid or None
        Trained one of the output.
    """
    values = function((_INTEGERS - integers.zero) * integers.scale)
    if grid is None:
        levels = output.format.quantise(values / output.scale + output.zero)
    else:
        levels = grid.integers(values) + (output.zero - grid.zero)
    levels = np.clip(levels, output.low, output.high)
    return LevelTable(zero=integers.zero, low=integers.low, high=integers.high, levels=levels.astype(np.int64))
