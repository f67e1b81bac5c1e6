"""vanishing: tensors that lose channels in their integers, because larger channels set the scale."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.formats import Format
from ..graph import Graph
from ..layers import Mac, MaxPool, Product
from .equalise import gives_on, scalable
from .evaluate import walk
from .settings import QuantSettings
from .tensors import choose

__all__ = ["vanishing"]

_LOST = 6.0
"""Part of the outputs' variance that rounding a tensor may cost, times ``2 ** (1.5 * bits)``.

Where channels are alike it is about 3 over ``4**bits``; in trained networks up to six times that was seen."""

_VALUES = 1 << 22
"""Values of a tensor looked at: of larger ones every second sample, every third, ..."""


def vanishing(graph: Graph, samples: NDArray, settings: QuantSettings) -> list[list[str]]:
    """Groups of tensors to equalise: those in whose integers so much vanishes that the outputs suffer.

    Averages follow what they are of. Graphs with trained grids have none: their integers stay.

    Parameters
    ----------
    graph : Graph
        Lowered.
    samples : array, shape (N, ...)
        As the model takes them.
    settings : QuantSettings
        By the names of its layers (`QuantSettings.for_layers`).
    """
    groups = [] if graph.grids else scalable(graph)
    if not groups:
        return []
    candidates = {name for names in groups for name in names}
    formats = {
        layer.output: settings.act_format(layer.name)
        for layer in graph.layers
        if isinstance(layer, Mac) and not gives_on(layer) and layer.output in candidates
    }
    variances, missing = {}, {}
    for each in walk(graph, samples):
        some = each.values[:: -(-each.values.size // _VALUES)]
        variances[each.name] = some.var(axis=(0, 2, 3), dtype=np.float64)
        if each.name in formats:
            missing[each.name] = _missed(some, variances[each.name], formats[each.name])
    parts = _parts(graph, variances)

    def suffers(name: str) -> bool:
        return float((parts[name] * missing[name]).sum()) > _LOST / 2 ** (1.5 * formats[name].bits)

    return [names for names in groups if any(suffers(name) for name in names if name in formats)]


def _missed(values: NDArray, variance: NDArray[np.float64], fmt: Format) -> NDArray[np.float64]:
    """Part (C,) of each channel's variance that integers of one scale miss."""
    choice = choose(values, fmt)
    levels = fmt.quantise(values / choice.scale + choice.zero)
    error = np.square((levels - choice.zero) * choice.scale - values).mean(axis=(0, 2, 3), dtype=np.float64)
    return np.where(variance > 0, np.minimum(error / np.where(variance > 0, variance, 1.0), 1.0), 0.0)


def _parts(graph: Graph, variances: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Part (C,) of the outputs' variance that each channel of each tensor gives; of several readers the largest.

    It is followed back from outputs and what states take over: of the variance of a layer's sums each channel of its
    sources has what its own variance and its weights give, as if channels were independent.
    """
    parts = {name: np.zeros_like(variance) for name, variance in variances.items()}
    for name in graph.ends:
        parts[name] = variances[name] / (variances[name].sum() or 1.0)
    for layer in reversed(graph.layers):
        own = parts[layer.output]
        if isinstance(layer, MaxPool):
            parts[layer.source] = np.maximum(parts[layer.source], own)
        if isinstance(layer, Product) and not layer.matrix:
            for name in layer.sources:
                parts[name] = np.maximum(parts[name], own)
        if not isinstance(layer, Mac):
            continue
        own = np.tile(own, math.prod(layer.enlarge))
        powers = []
        for term in layer.terms:
            read = variances[term.source]
            squares = np.square(term.weights).sum(axis=(2, 3))
            powers.append(squares * (read[:, np.newaxis] if term.depthwise else read))
        total = np.sum([power.sum(axis=1) for power in powers], axis=0)
        for term, power in zip(layer.terms, powers, strict=True):
            shares = power * (own / np.where(total > 0, total, 1.0))[:, np.newaxis]
            given = shares[:, 0] if term.depthwise else shares.sum(axis=0)
            parts[term.source] = np.maximum(parts[term.source], given)
    return parts
