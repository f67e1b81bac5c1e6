"""The least-squares problem of quantising one layer: which weights on quantised inputs give the float layer's sums."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..layers import Mac, Term
from ..quantised import QuantisedTensor
from .rounding import BLOCK

__all__ = ["Places", "Problem", "Source", "problems"]

Places = tuple[tuple[int, NDArray[np.int64]], ...]
"""Where the columns of a group belong: for each learned term index and input channels, all taps of each."""

_ROWS = 12288, 32768
"""Output pixels sampled for the second moments: at least and at most."""

_VALUES = 1 << 24
"""Inputs of all of them that memory is given for."""

_AT_ONCE = 4096
"""Rows taken to float64 at once."""

_RIDGE = 0.5
"""Pull towards the float weights, as a part of the inputs' mean variance; few samples for many weights pull more."""


@dataclass(frozen=True)
class Source:
    """A tensor on the calibration samples: levels of shape (N, C, H, W)."""

    tensor: QuantisedTensor
    levels: NDArray[np.signedinteger]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Output channels in G groups, each of which shares its inputs; O channels in all, K learned weights each, T
    constant terms.

    Everything is in units of the float sums per input level, so that one accumulator scale turns all of it into levels:
    the error of weight levels ``q`` at accumulator scale ``s`` is ``(s*q - target) metric (s*q - target)'``.

    Parameters
    ----------
    channels : (O,)
        Which output channels, group by group, the same number in each.
    group : (O,)
        The group of each.
    places : G of Places
        Where the K columns belong.
    target : (O, K)
        Best real weights.
    metric : (G, K, K)
        Covariance of the inputs, with a ridge.
    gains : (T, O)
        Constant weights.
    response : (T, O, K)
        How much ``target`` falls per unit that a constant's gain is above ``gains``.
    gain_cost : (T, O)
        Mean square error per squared unit of gain error that learned weights cannot make up for.
    mean_inputs, mean_constants, mean_sums : (G, K), (T, O), (O,)
        Means of levels and of the float sums.
    spans : (G, K, 2)
        Smallest and largest level of each input.
    constant_spans : (T, 2)
        The same of constant terms, times their taps.
    """

    channels: NDArray[np.int64]
    group: NDArray[np.int64]
    places: tuple[Places, ...]
    target: NDArray[np.float64]
    metric: NDArray[np.float64]
    gains: NDArray[np.float64]
    response: NDArray[np.float64]
    gain_cost: NDArray[np.float64]
    mean_inputs: NDArray[np.float64]
    mean_constants: NDArray[np.float64]
    mean_sums: NDArray[np.float64]
    spans: NDArray[np.int64]
    constant_spans: NDArray[np.int64]


def problems(layer: Mac, sources: dict[str, Source], sums: NDArray) -> Iterator[Problem]:
    """Problems of a layer, each output channel in one of them.

    Parameters
    ----------
    layer : Mac
    sources : dict of Source
        Quantised inputs on the calibration samples.
    sums : array of float, shape (N, O, oH, oW)
        What the float layer computes from float inputs, before its clamp.
    """
    samples, outputs, height, width = sums.shape
    rng = np.random.default_rng(0)
    total = samples * height * width
    widest = sum(term.weights[0].size if not term.depthwise else len(term.weights) for term in layer.terms)
    most = min(max(_VALUES // max(1, widest), _ROWS[0]), _ROWS[1])
    rows = np.sort(rng.choice(total, most, replace=False)) if total > most else np.arange(total)
    at = np.unravel_index(rows, (samples, height, width))
    targets = np.asarray(sums[at[0], :, at[1], at[2]], dtype=np.float64)
    windows = [_windows(sources[term.source], term, at, (height, width)) for term in layer.terms]
    mean_sums = sums.mean(axis=(0, 2, 3), dtype=np.float64)
    for groups in _alike(_clusters(layer, outputs), layer, len(rows)):
        yield _problem(layer, sources, windows, targets, mean_sums, groups)


def _windows(source: Source, term: Term, at: tuple[NDArray, ...], size: tuple[int, int]) -> NDArray[np.float32]:
    """Levels under a term's windows at sampled output pixels of an output of ``size``, of shape (C, R, taps).

    Channels come first, since a depthwise layer's problems read one each.
    """
    levels, window = source.levels, term.window
    samples, channels, height, width = levels.shape
    planes = levels.transpose(1, 0, 2, 3).reshape(channels, -1)
    outside = planes.shape[1]
    planes = np.concatenate([planes, np.full((channels, 1), source.tensor.zero, dtype=levels.dtype)], axis=1)
    read = np.full((len(at[0]), math.prod(window.kernel)), outside)
    inside = window.inside(*size)[at[1], at[2]]
    for tap, place in enumerate(np.ndindex(*window.kernel)):
        y, x = (
            at[1 + axis] * window.stride[axis] + place[axis] * window.dilation[axis] - window.pads[axis]
            for axis in (0, 1)
        )
        found = inside & (y >= 0) & (y < height) & (x >= 0) & (x < width)
        read[found, tap] = np.ravel_multi_index((at[0][found], y[found], x[found]), (samples, height, width))
    return planes.take(read, axis=1).astype(np.float32)


_Cluster = tuple[NDArray[np.int64], Places]


def _clusters(layer: Mac, outputs: int) -> list[_Cluster]:
    """Output channels that read the same input channels: all of a dense layer, one group of a grouped one."""
    learned = [(index, term) for index, term in enumerate(layer.terms) if not term.constant]
    used = [np.asarray(term.weights.any(axis=(2, 3))) for _, term in learned]
    groups: dict[tuple[bytes, ...], list[int]] = {}
    masks: dict[tuple[bytes, ...], Places] = {}
    for channel in range(outputs):
        places = []
        for (index, term), weighed in zip(learned, used, strict=True):
            where = np.flatnonzero(weighed[channel])
            places.append((index, np.full_like(where, channel) if term.depthwise else where))
        key = tuple(where.tobytes() for _, where in places)
        groups.setdefault(key, []).append(channel)
        masks[key] = tuple(places)
    return [(np.array(channels), masks[key]) for key, channels in groups.items()]


def _alike(clusters: list[_Cluster], layer: Mac, rows: int) -> Iterator[list[_Cluster]]:
    """Clusters of the same small size side by side, as many as memory is given for; any other alone."""
    alike: dict[tuple[int, ...], list[_Cluster]] = {}
    for channels, places in clusters:
        weights = sum(len(where) * layer.terms[index].weights[0, 0].size for index, where in places)
        if not 0 < weights <= BLOCK:
            yield [(channels, places)]
            continue
        most = max(1, _VALUES // (rows * weights))
        key = len(channels), *(len(where) for _, where in places)
        batch = alike.setdefault(key, [])
        batch.append((channels, places))
        if len(batch) == most:
            yield alike.pop(key)
    yield from alike.values()


def _problem(
    layer: Mac,
    sources: dict[str, Source],
    windows: list[NDArray],
    targets: NDArray,
    mean_sums: NDArray,
    groups: list[_Cluster],
) -> Problem:
    rows, count = len(targets), len(groups)
    channels = np.concatenate([own for own, _ in groups])
    size = len(channels) // count
    x, w = (
        parts[0][np.newaxis] if count == 1 else np.stack(parts)
        for parts in zip(*(_inputs(layer, windows, sources, *group) for group in groups), strict=True)
    )
    spans = np.concatenate(
        [
            np.tile(
                sources[layer.terms[index].source].tensor.span, (len(where) * layer.terms[index].weights[0, 0].size, 1)
            )
            for index, where in groups[0][1]
        ]
        or [np.zeros((0, 2), np.int64)]
    )
    constants = [(index, term) for index, term in enumerate(layer.terms) if term.constant]
    gains = np.array([term.weights[channels, 0, 0, 0] * sources[term.source].tensor.scale for _, term in constants])
    constant_inputs = [
        np.ascontiguousarray(windows[index][channels].sum(axis=2, dtype=np.float64).T) for index, _ in constants
    ]
    taps = [np.multiply(sources[term.source].tensor.span, term.weights[0].size) for _, term in constants]

    mean_inputs = x.mean(axis=1, dtype=np.float64)
    x -= mean_inputs.astype(np.float32)[:, np.newaxis]
    # Of a single group it is symmetric for BLAS, which does half the work then.
    covariance = ((x[0].T @ x[0])[np.newaxis] if count == 1 else x.transpose(0, 2, 1) @ x).astype(np.float64) / rows
    weights = covariance.shape[1]
    variance = np.maximum(np.trace(covariance, axis1=1, axis2=2) / max(1, weights), 1e-12)
    ridge = variance * (_RIDGE + 0.25 * weights / rows)
    metric = covariance
    metric[:, range(weights), range(weights)] += ridge[:, np.newaxis]

    def crossed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Covariance (G, K, O / G) of inputs with values (R, O)."""
        own = values.reshape(rows, count, size).transpose(1, 0, 2)
        found = np.zeros((count, weights, size))
        for start in range(0, rows, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            found += x[:, part].transpose(0, 2, 1).astype(np.float64) @ own[:, part]
        return found / rows

    deviations = [values - values.mean(axis=0) for values in constant_inputs]
    rest = targets[:, channels]
    rest = rest - rest.mean(axis=0)
    for gain, deviation in zip(gains, deviations, strict=True):
        rest -= gain * deviation
    crosses = [crossed(deviation) for deviation in deviations]
    wanted = crossed(rest) + ridge[:, np.newaxis, np.newaxis] * w.transpose(0, 2, 1)
    if layer.copies:  # fitted to few samples, a copy would be none
        answers, target = (
            [np.zeros_like(cross) for cross in crosses],
            w.reshape(len(channels), weights).astype(np.float64),
        )
    else:
        solved = np.split(np.linalg.solve(metric, np.concatenate([*crosses, wanted], axis=2)), len(crosses) + 1, axis=2)
        answers, target = solved[:-1], _by_channel(solved[-1])
    cost = [
        np.maximum(np.square(deviation).mean(axis=0) - (cross * answer).sum(axis=1).reshape(-1), 0.0)
        for deviation, cross, answer in zip(deviations, crosses, answers, strict=True)
    ]
    terms, total = len(constants), len(channels)
    return Problem(
        channels=channels,
        group=np.repeat(np.arange(count), size),
        places=tuple(places for _, places in groups),
        target=target,
        metric=metric,
        gains=gains.reshape(terms, total),
        response=np.array([_by_channel(answer) for answer in answers]).reshape(terms, total, weights),
        gain_cost=np.array(cost).reshape(terms, total),
        mean_inputs=mean_inputs,
        mean_constants=np.array([values.mean(axis=0) for values in constant_inputs]).reshape(terms, total),
        mean_sums=mean_sums[channels],
        spans=np.broadcast_to(spans, (count, weights, 2)),
        constant_spans=np.array(taps, dtype=np.int64).reshape(terms, 2),
    )


def _inputs(
    layer: Mac, windows: list[NDArray], sources: dict[str, Source], channels: NDArray[np.int64], places: Places
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Inputs (R, K) that a group shares, and its float weights (O, K)."""
    rows = windows[0].shape[1]
    inputs, weights = [np.zeros((rows, 0), np.float32)], [np.zeros((len(channels), 0))]
    for index, where in places:
        term, tensor = layer.terms[index], sources[layer.terms[index].source].tensor
        inputs.append(windows[index][where].transpose(1, 0, 2).reshape(rows, -1))
        own = term.weights[channels] if term.depthwise else term.weights[channels][:, where]
        weights.append(own[:, : len(where)].reshape(len(channels), -1) * tensor.scale)
    return np.concatenate(inputs, axis=1), np.concatenate(weights, axis=1)


def _by_channel(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (G, K, O / G) as (O, K)."""
    groups, weights, size = values.shape
    return np.ascontiguousarray(values.transpose(0, 2, 1).reshape(groups * size, weights))
