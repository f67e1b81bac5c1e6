"""Phases of an enlarging layer: each an ordinary layer whose pixels lie some lines and columns apart in the output."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...hw.spec.config import AcceleratorConfig
from ..outline import Outline, blank_weights
from ..quantised import MacLayer, MaxLayer, Segment
from .weights import tile_count

__all__ = ["Phase", "phases_of"]


@dataclass(frozen=True)
class Phase:
    """Those output channels of a layer that make one phase of its output.

    ``layer`` has the factors of the whole layer, so that its pixels lie as far apart. The first one is written at line
    and column ``at``; ``group`` is the column group that the phase begins with, those of all phases counted.
    """

    layer: MacLayer | MaxLayer
    at: tuple[int, int] = (0, 0)
    group: int = 0


def phases_of(layer: MacLayer | MaxLayer, config: AcceleratorConfig) -> Iterator[Phase]:
    """The phases in the order of their channels; of a layer that does not enlarge, just the layer."""
    if isinstance(layer, MaxLayer) or layer.enlarge == (1, 1):
        yield Phase(layer)
        return
    channels = len(layer.bias) // math.prod(layer.enlarge)
    for number in range(math.prod(layer.enlarge)):
        chosen = slice(number * channels, (number + 1) * channels)
        part = replace(
            layer,
            name=f"{layer.name} phase {number}",
            segments=tuple(_rows(segment, chosen) for segment in layer.segments),
            bias=layer.bias[chosen],
            multiplicand=layer.multiplicand[chosen],
            shift=layer.shift[chosen],
        )
        yield Phase(part, divmod(number, layer.enlarge[1]), number * tile_count(channels, config))


def _rows(segment: Segment, chosen: slice) -> Segment:
    """The segment for some output channels; depthwise if each reads the channel of its own number alone."""
    weights = segment.weights[chosen]
    outputs, inputs, *kernel = weights.shape
    if isinstance(segment, Outline):
        if segment.diagonal:
            return replace(segment, weights=blank_weights((outputs, 1, *kernel)), depthwise=True)
        return replace(segment, weights=weights)
    own = np.arange(outputs)
    if outputs == inputs and np.count_nonzero(weights) == np.count_nonzero(weights[own, own]):
        return replace(segment, weights=weights[own, own][:, np.newaxis], depthwise=True)
    return replace(segment, weights=weights)
