"""Phases of an enlarging layer: each an ordinary layer whose pixels lie some lines and columns apart in the output."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ...hw.spec.config import AcceleratorConfig
from ..quantised import IntegerLayer, MacLayer
from .weights import tile_count

__all__ = ["Phase", "phases_of"]


Layer = TypeVar("Layer", bound=IntegerLayer)


@dataclass(frozen=True)
class Phase(Generic[Layer]):
    """Those output channels of a layer that make one phase of its output.

    ``layer`` has the factors of the whole layer, so that its pixels lie as far apart. The first one is written at line
    and column ``at``; ``group`` is the column group that the phase begins with, those of all phases counted.
    """

    layer: Layer
    at: tuple[int, int] = (0, 0)
    group: int = 0


def phases_of(layer: MacLayer, config: AcceleratorConfig) -> Iterator[Phase[MacLayer]]:
    """The phases in the order of their channels; of a layer that does not enlarge, just the layer."""
    if layer.enlarge == (1, 1):
        yield Phase(layer)
        return
    channels = len(layer.bias) // math.prod(layer.enlarge)
    for number in range(math.prod(layer.enlarge)):
        chosen = slice(number * channels, (number + 1) * channels)
        part = layer.of_channels(chosen)
        segments = [segment.by_channel() for segment in part.segments]
        part = replace(part.with_readers(segments), name=f"{layer.name} phase {number}")
        yield Phase(part, divmod(number, layer.enlarge[1]), number * tile_count(channels, config))
