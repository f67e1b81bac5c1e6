"""The search over accumulator scales: which multiplicand, shift and weight levels a channel gets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.certificate import signed_bits
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.digits import Digits
from ...hw.spec.formats import Format
from ..errors import CertificateError
from .axe import round_greedily
from .descent import descend
from .grid import ScaleGrid
from .problem import Problem
from .rounding import Bounds, by_group, errors, sum_bounds

__all__ = ["CONSTANT_LEVEL", "Solution", "cheap_constants", "solve"]

_REFINED = 4
"""Scales that are refined by coordinate descent, of those with the least error after rounding to nearest."""

CONSTANT_LEVEL = 128
"""Constant weights have as many digits as such a level needs at most: their gain error is at most 1/(2 * level)."""

_GAIN_TOLERANCE = 0.05
"""Gain errors of averages may cost this part of the output's own rounding error; fewer digits are worth more."""

_NEAR = 1 / 32
"""Gain error at which a constant of fewer digits is taken beside learned weights, which make up for most of it."""

_TIGHT = 4
"""Scales too fine for rounding to nearest that are tried with greedy rounding, the coarsest of them."""

_WORTHLESS = 0.5
"""Greedy rounding that misses this part of a channel's power is no solution: the accumulator is too narrow."""

_MANY, _LIKELY = 1 << 25, 16
"""Multiplications of an error of all channels from which on errors are computed of likely scales alone; how many."""

_CLIPPING = 3.3
"""The finest scale tried maps the largest weight to so many times the format's largest level."""


@dataclass(frozen=True)
class Solution:
    """Weight levels (O, K), levels of the constant terms (T, O), and index into the grid (O,)."""

    weights: NDArray[np.int64]
    constants: NDArray[np.int64]
    choice: NDArray[np.int64]


@dataclass(frozen=True)
class _Rows:
    """Rows of (channel, scale) rounded to nearest: levels of constants (T, R), real weights and their levels (R, K)."""

    channel: NDArray[np.int64]
    scale: NDArray[np.float64]
    constants: NDArray[np.int64]
    target: NDArray[np.float64]
    weights: NDArray[np.int64]


@dataclass(frozen=True)
class _Trial:
    """One scale for each channel, with what it costs beside the error of the weights, and that."""

    constants: NDArray[np.int64]
    penalty: NDArray[np.float64]
    error: NDArray[np.float64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    bias_fits: NDArray[np.bool_]


def solve(
    problem: Problem,
    grid: ScaleGrid,
    fmt: Format,
    config: AcceleratorConfig,
    *,
    output_scale: float,
    output_error: float,
    layer: str,
    axe: bool,
) -> Solution:
    """Levels and scale of least output error among those that the certificate and the bias allow.

    Parameters
    ----------
    problem : Problem
    grid : ScaleGrid
        Scales of the layer.
    fmt : Format
        Of the learned weights.
    config : AcceleratorConfig
    output_scale, output_error : float
        Scale of the output, and mean square error of rounding to its format.
    layer : str
        Name for messages.
    axe : bool
        Whether scales too fine for rounding to nearest are tried with greedy rounding.

    Raises
    ------
    CertificateError
        If no scale fits.
    """
    constant_planes = config.weight_digits.count(CONSTANT_LEVEL)
    if problem.target.shape[1]:
        finest = np.abs(problem.target).max(axis=1) / (fmt.top * _CLIPPING)
        # Where weights are next to nothing beside the bias, the bias decides how fine the scale can be.
        constant_means = (problem.gains * problem.mean_constants).sum(axis=0)
        bias = problem.mean_sums - by_group(problem.target, problem.mean_inputs, problem.group) - constant_means
        finest = np.maximum(finest, np.abs(bias) / (_bias_limit(config) / 2))
        # Beside a constant so large that no scale holds both, weights may vanish.
        finest = np.clip(finest, *grid.scales[[0, -1]])
        coarsest = np.clip(np.abs(problem.gains).max(axis=0, initial=0.0) / CONSTANT_LEVEL, finest, grid.scales[-1])
        octaves = max(np.log2(fmt.top * _CLIPPING), np.log2(coarsest / finest).max())
        return _search(problem, grid, grid.window(finest, octaves), fmt, config, constant_planes, layer, axe)
    if not len(problem.gains):
        # No weights at all, only a bias: any scale that places it within a level will do.
        finest = np.maximum(output_scale / 8, np.abs(problem.mean_sums) / (_bias_limit(config) / 2))
        return _search(problem, grid, grid.window(finest, 1.0), fmt, config, 1, layer, axe)
    return _solve_constants(problem, grid, fmt, config, constant_planes, _GAIN_TOLERANCE * output_error, layer)


def _solve_constants(
    problem: Problem,
    grid: ScaleGrid,
    fmt: Format,
    config: AcceleratorConfig,
    most_planes: int,
    tolerance: float,
    layer: str,
) -> Solution:
    """Levels of constants alone, of as few digits as make all errors small enough; of any that fit where none do."""
    channels = np.arange(len(problem.channels))
    least = np.full(channels.size, np.inf)
    levels, choice = np.zeros((len(problem.gains), channels.size), dtype=np.int64), np.zeros_like(channels)
    tried: list[_Trial] = []
    for planes in range(1, most_planes + 1):
        top = config.weight_digits.top(planes)
        window = grid.window(np.abs(problem.gains).max(axis=0) / (top + 0.5), np.log2(top + 0.5))
        trials, errors = _trials(problem, grid, window, fmt, config, planes)
        tried += trials
        best = errors.argmin(axis=0)
        error = errors[best, channels]
        constants = np.array([t.constants for t in trials]).transpose(0, 2, 1)[best, channels].T
        better = error < least
        levels = np.where(better, constants, levels)
        choice = np.where(better, window[channels, best], choice)
        least = np.minimum(least, error)
        if (least <= tolerance).all():
            break
    _check(problem, tried, least, config, layer)
    return Solution(np.zeros((channels.size, 0), dtype=np.int64), levels, choice)


def _trials(
    problem: Problem,
    grid: ScaleGrid,
    window: NDArray[np.int64],
    fmt: Format,
    config: AcceleratorConfig,
    planes: int,
) -> tuple[list[_Trial], NDArray[np.float64]]:
    """Scales of a window (O, J), and errors (J, O): infinite where certificate or bias do not allow a scale.

    Of many channels with many weights only those scales have one that would be best if inputs were independent.
    """
    bounds = Bounds.of(config.acc_bits)
    every = np.arange(len(problem.channels))
    few = len(every) * problem.target.shape[1] ** 2 <= _MANY
    trials = [_trial(problem, grid.scales[column], fmt, config, planes, exact=few) for column in window.T]
    fits = np.array([(t.low >= bounds.low) & (t.high <= bounds.high) & t.bias_fits for t in trials])
    found = np.where(fits, [t.error for t in trials], np.inf)
    if few:
        return trials, found
    exact, metric = np.full_like(found, np.inf), problem.metric.astype(np.float32)  # they only rank
    for rank in np.argsort(found, axis=0, kind="stable")[:_LIKELY]:
        rows = _rounded(problem, every, grid.scales[window[every, rank]], fmt, config, planes)
        penalty = np.array([trials[j].penalty[o] for o, j in enumerate(rank)])
        deviation = _deviation(rows).astype(np.float32)
        exact[rank, every] = errors(deviation, metric, problem.group) + penalty
    return trials, np.where(np.isfinite(found), exact, np.inf)


def _bias_limit(config: AcceleratorConfig) -> int:
    """What a bias estimated from sampled pixels must stay below for the exact one to fit."""
    return (1 << (config.bias_width - 1)) - (1 << (config.bias_width - 7))


def _search(
    problem: Problem,
    grid: ScaleGrid,
    window: NDArray[np.int64],
    fmt: Format,
    config: AcceleratorConfig,
    planes: int,
    layer: str,
    axe: bool,
) -> Solution:
    channels = np.arange(len(problem.channels))
    trials, errors = _trials(problem, grid, window, fmt, config, planes)
    if not problem.target.shape[1]:
        best = errors.argmin(axis=0)
        _check(problem, trials, errors[best, channels], config, layer)
        empty = np.zeros((len(channels), 0), dtype=np.int64)
        constants = np.zeros((0, len(channels)), dtype=np.int64)
        return Solution(empty, constants, window[channels, best])

    ranked = np.argsort(errors, axis=0, kind="stable")[:_REFINED]
    rows = [(int(j), o, False) for rank in ranked for o, j in enumerate(rank) if np.isfinite(errors[j, o])]
    if axe:
        bounds = Bounds.of(config.acc_bits)
        fits = np.array([(t.low >= bounds.low) & (t.high <= bounds.high) for t in trials])
        tight = np.isfinite([t.error for t in trials]) & ~fits
        rows += [(int(j), int(o), True) for o in channels for j in np.flatnonzero(tight[:, o])[-_TIGHT:]]
    if not rows:
        _check(problem, trials, errors.min(axis=0), config, layer)
    tried = _refine(problem, grid, trials, rows, window, fmt, config, planes)
    order = np.lexsort((tried.total, tried.channel))
    known, first = np.unique(tried.channel[order], return_index=True)
    least = np.full(len(channels), np.inf)
    pick = order[first]
    least[known] = tried.total[pick]
    _check(problem, trials, least, config, layer)
    return Solution(tried.weights[pick], tried.constants[pick].T, tried.index[pick])


@dataclass(frozen=True)
class _Tried:
    """Refined rows: weight levels (R, K), levels of constants (R, T), channel, index into the grid and error (R,)."""

    weights: NDArray[np.int64]
    constants: NDArray[np.int64]
    channel: NDArray[np.int64]
    index: NDArray[np.int64]
    total: NDArray[np.float64]


def _refine(
    problem: Problem,
    grid: ScaleGrid,
    trials: list[_Trial],
    rows: list[tuple[int, int, bool]],
    window: NDArray[np.int64],
    fmt: Format,
    config: AcceleratorConfig,
    planes: int,
) -> _Tried:
    """Coordinate descent for rows of (trial, channel, whether rounding to nearest breaks the certificate)."""
    bounds = Bounds.of(config.acc_bits)
    chosen, channel, greedy = (np.array(column) for column in zip(*rows, strict=True))
    index, group = window[channel, chosen], problem.group[channel]
    start = _rounded(problem, channel, grid.scales[index], fmt, config, planes)
    penalty = np.array([trials[j].penalty[o] for j, o, _ in rows])
    least, most = _constant_bounds(problem, start.constants)
    room = bounds.low - least, bounds.high - most
    tight, greedy = greedy, greedy & (room[0] <= 0) & (room[1] >= 0)
    usable = greedy | ~tight
    levels = np.where(usable[:, np.newaxis], start.weights, 0)
    common = {"metric": problem.metric, "fmt": fmt, "spans": problem.spans}
    if greedy.any():
        own = room[0][greedy], room[1][greedy]
        levels[greedy] = round_greedily(
            start.target[greedy], scale=start.scale[greedy], group=group[greedy], room=own, **common
        )
    refined = descend(levels, target=start.target, scale=start.scale, group=group, room=room, **common)
    # Descent moves the bias, too; where it no longer fits, the start does.
    fits = np.abs(_bias(problem, replace(start, weights=refined))) < _bias_limit(config)
    refined = np.where(fits[:, np.newaxis], refined, levels)
    total = _error(problem, replace(start, weights=refined)) + penalty
    energy = errors(start.target, problem.metric, group)
    usable &= ~greedy | (fits & (total <= _WORTHLESS * energy))
    return _Tried(refined, start.constants.T, channel, index, np.where(usable, total, np.inf))


def _error(problem: Problem, rows: _Rows) -> NDArray[np.float64]:
    """Mean square error of rows' weights."""
    return errors(_deviation(rows), problem.metric, problem.group[rows.channel])


def _deviation(rows: _Rows) -> NDArray[np.float64]:
    """What rounding adds to each weight (R, K)."""
    return rows.weights * rows.scale[:, np.newaxis] - rows.target


def _bias(problem: Problem, rows: _Rows) -> NDArray[np.float64]:
    """Bias that makes the mean of quantised sums that of float sums."""
    constant_means = (rows.constants * problem.mean_constants[:, rows.channel]).sum(axis=0)
    means = by_group(rows.weights.astype(np.float64), problem.mean_inputs, problem.group[rows.channel])
    return problem.mean_sums[rows.channel] / rows.scale - means - constant_means


def _constant_bounds(problem: Problem, constants: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest and largest sums of the constant terms, for levels of shape (T, ...)."""
    first, second = (np.multiply(constants, problem.constant_spans[:, side, np.newaxis]) for side in (0, 1))
    return np.minimum(first, second).sum(axis=0), np.maximum(first, second).sum(axis=0)


def _rounded(
    problem: Problem,
    channel: NDArray[np.int64],
    scale: NDArray[np.float64],
    fmt: Format,
    config: AcceleratorConfig,
    planes: int,
) -> _Rows:
    """Rounding to nearest of channels (R,), each at its scale."""
    wanted = problem.gains[:, channel] / scale
    if planes == 1:
        constants = config.weight_digits.base.quantise(wanted)
    elif problem.target.shape[1]:
        constants = cheap_constants(wanted, config.weight_digits, planes)
    else:
        span = config.weight_digits.span(planes)
        constants = np.clip(np.rint(wanted), -span, span).astype(np.int64)
    target = problem.target[channel]
    for deviation, response in zip(constants * scale - problem.gains[:, channel], problem.response, strict=True):
        target -= deviation[:, np.newaxis] * response[channel]
    return _Rows(channel, scale, constants, target, fmt.quantise(target / scale[:, np.newaxis]))


def _trial(
    problem: Problem, scale: NDArray[np.float64], fmt: Format, config: AcceleratorConfig, planes: int, *, exact: bool
) -> _Trial:
    """Rounding to nearest at one scale a channel; unless ``exact``, the error is one of independent inputs."""
    rows = _rounded(problem, np.arange(scale.size), scale, fmt, config, planes)
    deviation = rows.constants * scale - problem.gains
    penalty = (np.square(deviation) * problem.gain_cost).sum(axis=0) + np.square(scale) / 12
    # A term that vanished is no approximation: such a scale is too coarse whatever it costs. Only beside one so much
    # larger that no scale holds both it may vanish.
    gains = np.abs(problem.gains)
    reach = gains.max(axis=0, initial=0.0) / (2 * config.weight_digits.top(planes) + 1)
    if problem.target.shape[1]:
        reach = np.maximum(reach, np.abs(problem.target).max(axis=1) / (2 * fmt.top + 1))
    penalty = np.where(((rows.constants == 0) & (gains > reach)).any(axis=0), np.inf, penalty)
    if exact:
        error = _error(problem, rows)
    else:
        missed = np.square(_deviation(rows))
        error = by_group(missed, np.diagonal(problem.metric, axis1=1, axis2=2), problem.group)
    least, most = sum_bounds(rows.weights, problem.spans, problem.group)
    constant_least, constant_most = _constant_bounds(problem, rows.constants)
    low, high = least + constant_least, most + constant_most
    return _Trial(
        rows.constants, penalty, error + penalty, low, high, np.abs(_bias(problem, rows)) < _bias_limit(config)
    )


def cheap_constants(wanted: NDArray[np.float64], digits: Digits, planes: int) -> NDArray[np.int64]:
    """Constants next to learned weights: levels of two codes, which save a pass, where one is near enough."""
    levels = digits.code_sums(2)
    nearest = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, wanted, side="right")]
    span = digits.span(planes)
    exact = np.clip(np.rint(wanted), -span, span)
    return np.where(np.abs(nearest - wanted) <= np.abs(wanted) * _NEAR, nearest, exact).astype(np.int64)


def _check(problem: Problem, trials: list[_Trial], least: NDArray, config: AcceleratorConfig, layer: str) -> None:
    """Refuse channels whose least error (O,) is infinite: no scale fits them."""
    stuck = np.flatnonzero(np.isinf(least))
    if not stuck.size:
        return
    channel = stuck[0]
    where = f"layer {layer!r}, output channel {problem.channels[channel]}"
    usable = [t for t in trials if np.isfinite(t.error[channel])]
    bits = min((signed_bits(t.low[channel], t.high[channel]) for t in usable), default=0)
    if bits > config.acc_bits:
        raise CertificateError(
            f"{where}: its sums need at least {bits} accumulator bits, the configuration has {config.acc_bits}: "
            f"set acc_bits to {bits} or more, or use narrower weights or activations"
        )
    raise CertificateError(
        f"{where}: its bias does not fit {config.bias_width} bits at any scale that the "
        f"accumulator allows: set bias_bits or acc_bits higher"
    )
