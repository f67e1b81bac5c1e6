"""The least-squares problem of quantising one layer: which weights on quantised inputs give the float layer's sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..graph import Mac, Term
from ..quantised import QuantisedTensor
from .evaluate import patches

__all__ = ["Places", "Problem", "Source", "problems"]

Places = tuple[tuple[int, NDArray[np.int64]], ...]
"""Where the columns of a problem belong: for each learned term index and input channels, all taps of each."""

_ROWS = 12288, 32768
"""Output pixels sampled for the second moments: at least and at most."""

_VALUES = 1 << 24
"""Inputs of all of them that memory is given for."""

_RIDGE = 0.5
"""Pull towards the float weights, as a part of the inputs' mean variance; few samples for many weights pull more."""


@dataclass(frozen=True)
class Source:
    """A tensor on the calibration samples: levels of shape (N, C, H, W)."""

    tensor: QuantisedTensor
    levels: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Output channels that share their inputs; O channels, K learned weights each, T constant terms.

    Everything is in units of the float sums per input level, so that one accumulator scale turns all of it into levels:
    the error of weight levels ``q`` at accumulator scale ``s`` is ``(s*q - target) metric (s*q - target)'``.

    Parameters
    ----------
    channels : (O,)
        Which output channels.
    places : Places
        Where the K columns belong.
    target : (O, K)
        Best real weights.
    metric : (K, K)
        Covariance of the inputs, with a ridge.
    gains : (T, O)
        Constant weights.
    response : (T, O, K)
        How much ``target`` falls per unit that a constant's gain is above ``gains``.
    gain_cost : (T, O)
        Mean square error per squared unit of gain error that learned weights cannot make up for.
    mean_inputs, mean_constants, mean_sums : (K,), (T, O), (O,)
        Means of levels and of the float sums.
    spans : (K, 2)
        Smallest and largest level of each input.
    constant_spans : (T, 2)
        The same of constant terms, times their taps.
    """

    channels: NDArray[np.int64]
    places: Places
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
    targets = np.asarray(sums, dtype=np.float64)[at[0], :, at[1], at[2]]
    windows = [_windows(sources[term.source], term, at) for term in layer.terms]
    mean_sums = sums.mean(axis=(0, 2, 3), dtype=np.float64)
    for channels, places in _clusters(layer, outputs):
        yield _problem(layer, sources, windows, targets[:, channels], mean_sums[channels], channels, places)


def _windows(source: Source, term: Term, at: tuple[NDArray, ...]) -> NDArray[np.float32]:
    """Levels under a term's windows at sampled output pixels, of shape (R, C, taps)."""
    view = patches(source.levels.astype(np.float32), term.window, source.tensor.zero)
    picked = view[at[0], :, at[1], at[2]]
    return picked.reshape(*picked.shape[:2], -1)


def _clusters(layer: Mac, outputs: int) -> Iterator[tuple[NDArray[np.int64], Places]]:
    """Output channels that read the same input channels: all of a dense layer, one group of a grouped one."""
    learned = [(index, term) for index, term in enumerate(layer.terms) if not term.constant]
    groups: dict[tuple[bytes, ...], list[int]] = {}
    masks: dict[tuple[bytes, ...], Places] = {}
    for channel in range(outputs):
        places = []
        for index, term in learned:
            used = term.weights[channel].any(axis=(1, 2))
            where = np.flatnonzero(used)
            places.append((index, np.full_like(where, channel) if term.depthwise else where))
        key = tuple(where.tobytes() for _, where in places)
        groups.setdefault(key, []).append(channel)
        masks[key] = tuple(places)
    for key, channels in groups.items():
        yield np.array(channels), masks[key]


def _problem(
    layer: Mac,
    sources: dict[str, Source],
    windows: list[NDArray],
    targets: NDArray,
    mean_sums: NDArray,
    channels: NDArray[np.int64],
    places: Places,
) -> Problem:
    rows = len(targets)
    inputs, spans = [np.zeros((rows, 0), np.float32)], [np.zeros((0, 2), np.int64)]
    weights = [np.zeros((len(channels), 0))]
    for index, where in places:
        term, tensor = layer.terms[index], sources[layer.terms[index].source].tensor
        inputs.append(windows[index][:, where].reshape(rows, -1))
        own = term.weights[channels] if term.depthwise else term.weights[channels][:, where]
        weights.append(own[:, : len(where)].reshape(len(channels), -1) * tensor.scale)
        spans.append(np.tile(tensor.span, (inputs[-1].shape[1], 1)))
    x, w = np.concatenate(inputs, axis=1), np.concatenate(weights, axis=1)
    constants = [(index, term) for index, term in enumerate(layer.terms) if term.constant]
    gains = np.array([term.weights[channels, 0, 0, 0] * sources[term.source].tensor.scale for _, term in constants])
    constant_inputs = [windows[index][:, channels].sum(axis=2, dtype=np.float64) for index, _ in constants]
    taps = [np.multiply(sources[term.source].tensor.span, term.weights[0].size) for _, term in constants]

    mean_inputs = x.mean(axis=0, dtype=np.float64)
    centred = x - mean_inputs.astype(np.float32)
    covariance = (centred.T @ centred).astype(np.float64) / rows
    variance = max(float(np.trace(covariance)) / max(1, len(covariance)), 1e-12)
    ridge = variance * (_RIDGE + 0.25 * len(covariance) / rows)
    metric = covariance + ridge * np.eye(len(covariance))
    solved, cost = [], []
    learned = not layer.copies  # fitted to few samples, a copy would be none
    for values in constant_inputs:
        deviation = values - values.mean(axis=0)
        cross = centred.T.astype(np.float64) @ deviation / rows
        answer = np.linalg.solve(metric, cross) if learned else np.zeros_like(cross)
        solved.append(answer.T)
        cost.append(np.maximum(np.square(deviation).mean(axis=0) - (cross * answer).sum(axis=0), 0.0))
    rest = targets - targets.mean(axis=0)
    for gain, values in zip(gains, constant_inputs, strict=True):
        rest = rest - gain * (values - values.mean(axis=0))
    cross = centred.T.astype(np.float64) @ rest / rows + ridge * w.T
    count, size = len(constants), len(channels)
    return Problem(
        channels=channels,
        places=places,
        target=np.linalg.solve(metric, cross).T if learned else w.astype(np.float64),
        metric=metric,
        gains=gains.reshape(count, size),
        response=np.array(solved).reshape(count, size, len(metric)),
        gain_cost=np.array(cost).reshape(count, size),
        mean_inputs=mean_inputs,
        mean_constants=np.array([values.mean(axis=0) for values in constant_inputs]).reshape(count, size),
        mean_sums=mean_sums,
        spans=np.concatenate(spans),
        constant_spans=np.array(taps, dtype=np.int64).reshape(count, 2),
    )
