"""What may be wrong with samples, channels and results, a line each: nothing of it is an error by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph
from ..layers import Affine, Quantise
from ..outputs import Output
from ..quantised import QuantisedGraph, QuantisedTensor

__all__ = ["of_channels", "of_clamps", "of_labels", "of_quality", "of_samples"]

_FEW = 16
"""Samples below which ranges are guesses; some hundred do."""

_DEAD, _LOST = 0.25, 0.1
"""Shares of a tensor's channels that are worth a line: constant in the float model, constant in integers alone."""

_CLAMPED, _TIMES = 0.01, 3.0
"""Share of a tensor's values at the ends of its range that is worth a line, and how many times that of calibration."""

_OF_BYTES = 0.02
"""Gain below which what a model does to its input first seems to be made for 0 to 255."""

_NOISY, _NOISY_WIDE, _WIDE_BITS = 6.0, 20.0, 6
"""Decibels of signal over noise below which a result is doubtful: of narrow formats, of those from so many bits on."""


def of_samples(graph: Graph, samples: NDArray) -> list[str]:
    """What is strange about calibration samples of shape (N, ...) for a graph as a frontend makes it."""
    found = []
    if (np.asarray(samples) == samples[:1]).all():
        what = "are constant" if np.ptp(samples) == 0 else "are all the same"
        return [f"the {len(samples)} calibration samples {what}: scales chosen on them mean little, give typical ones"]
    if len(samples) < _FEW:
        found.append(f"only {len(samples)} calibration samples: what they do not reach is clamped, give some hundred")
    low, high = float(np.min(samples)), float(np.max(samples))
    reach, expected = max(-low, high), _expected_reach(graph)
    if expected is not None and not expected / 8 <= reach <= expected * 2:
        found.append(
            f"calibration samples are {low:.4g} to {high:.4g}, the model seems to expect values up to about "
            f"{expected:.4g}: scale them as those that it was trained on"
        )
    return found


def _expected_reach(graph: Graph) -> float | None:
    """Largest magnitude that a model's input seems to have: of its quantiser's, or what it scales to 1 first."""
    for layer in graph.layers:
        if layer.sources != (graph.input.tensor,):
            continue
        if isinstance(layer, Quantise) and not layer.grid.bipolar:
            return float(layer.grid.scale * max(layer.grid.high - layer.grid.zero, layer.grid.zero - layer.grid.low))
        if isinstance(layer, Affine) and 0 < (scale := float(np.abs(layer.scale).mean())) < _OF_BYTES:
            return 1 / scale if np.allclose(layer.bias, 0) else 255.0
    return None


def of_channels(
    quantised: QuantisedGraph, floats: Mapping[str, NDArray], levels: Mapping[str, NDArray[np.int64]]
) -> list[str]:
    """Channels that say nothing, on the same samples: in the float model already, or in integers alone.

    Parameters
    ----------
    quantised : QuantisedGraph
    floats, levels : mapping of arrays, shape (N, C, H, W)
        Tensors of the float model and of an engine.
    """
    dead: list[tuple[float, str]] = []
    lost: list[tuple[float, str]] = []
    for layer in quantised.layers:
        name = layer.output
        channels = quantised.tensors[name].shape[0]
        if channels < 2 or name not in floats:
            continue
        alive = np.ptp(floats[name], axis=(0, 2, 3)) > 0
        gone = alive & (np.ptp(levels[name], axis=(0, 2, 3)) == 0)
        where = f"channels that layer {layer.name!r} writes"
        dead.append((1 - float(alive.mean()), f"{channels - alive.sum()} of {channels} {where}"))
        if alive.any():
            lost.append((float(gone.sum() / alive.sum()), f"{gone.sum()} of {alive.sum()} {where}"))
    return [
        *_worst(dead, _DEAD, "never change on these samples: dead, or the samples are not typical"),
        *_worst(lost, _LOST, "vanish in its integers, larger ones set the scale: --equalise, or more bits there"),
    ]


def _worst(found: list[tuple[float, str]], limit: float, meaning: str) -> list[str]:
    over = sorted((entry for entry in found if entry[0] >= limit), reverse=True)
    if not over:
        return []
    return [f"{over[0][1]}{_others(len(over) - 1)} {meaning}"]


def _others(count: int) -> str:
    return f" (and some of {count} other layer{'s' if count > 1 else ''})" if count else ""


def of_clamps(
    quantised: QuantisedGraph, calibration: Mapping[str, NDArray[np.int64]], held: Mapping[str, NDArray[np.int64]]
) -> list[str]:
    """Tensors whose values lie at the ends of their ranges far more often on held samples than on calibration ones."""
    found = []
    for layer in quantised.layers:
        tensor = quantised.tensors[layer.output]
        before, now = (_at_ends(tensor, levels[layer.output]) for levels in (calibration, held))
        if now > _CLAMPED and now > _TIMES * before:
            found.append((now, before, layer.name))
    if not found:
        return []
    now, before, name = max(found)
    return [
        f"{now:.1%} of the values that layer {name!r} writes{_others(len(found) - 1)} are clamped on held samples, "
        f"{before:.1%} on calibration samples: calibrate on more varied ones"
    ]


def _at_ends(tensor: QuantisedTensor, levels: NDArray[np.int64]) -> float:
    """Share of values at an end of the range that is not the zero level, which a ReLU gives on purpose."""
    ends = {end for end in (tensor.low, tensor.high) if end != tensor.zero}
    return float(np.isin(levels, list(ends)).mean())


def of_quality(quantised: QuantisedGraph, quality: Mapping[str, Any]) -> list[str]:
    """Outputs that are more noise than their formats explain; ``quality`` is a `quality.Quality` as a dict."""
    found = []
    bits = min((quantised.tensors[layer.output].format.bits for layer in quantised.layers), default=_WIDE_BITS)
    limit = _NOISY_WIDE if bits >= _WIDE_BITS else _NOISY
    for output in quality["outputs"]:
        if output["snr_db"] is not None and output["snr_db"] < limit:
            found.append(
                f"output {output['name']!r} has only {output['snr_db']:.1f} dB of signal over noise: "
                "`narrows explain` says which layers add it and what helps"
            )
    return found


def of_labels(outputs: Sequence[Output], values: NDArray, labels: NDArray[np.int64]) -> list[str]:
    """Whether a float model's first output, of shape (N, ...), fits labels so badly that something must be wrong."""
    output = outputs[0]
    classes = max(2, int(np.prod(output.shape)))
    answers = output.answers(values)
    if len(labels) < _FEW:
        return []
    right, up, down = (float((answers == labels + move).mean()) for move in (0, 1, -1))
    if max(up, down) > max(0.5, 2 * right):
        move = "subtract 1 from" if down > up else "add 1 to"
        return [
            f"the float model names {right:.0%} of the labels, and {max(up, down):.0%} of their neighbours: {move} y?"
        ]
    if right < 1.5 / classes:
        return [
            f"the float model names {right:.0%} of the labels, no better than chance: "
            "are samples and labels those that it was trained for?"
        ]
    return []
