"""prepared: the float graph whose layers are quantised one by one, from the graph that a frontend makes."""

from __future__ import annotations

from numpy.typing import NDArray

from ..graph import Graph
from ..passes import lower
from .equalise import equalise
from .halves import in_halves
from .settings import QuantSettings
from .vanishing import vanishing

__all__ = ["equalised_unasked", "prepared"]

_EQUALISED = 64
"""Samples that show the ranges of channels."""


def prepared(graph: Graph, calibration: NDArray, settings: QuantSettings) -> Graph:
    """The float graph whose layers are quantised one by one: lowered, and equalised.

    All of it is equalised where that is asked for, otherwise only tensors in whose integers channels would vanish.
    """
    lowered, samples = lower(graph), calibration[:_EQUALISED]
    groups = None if settings.equalise else _vanishing(lowered, samples, settings)
    equalised = lowered if groups == [] else equalise(lowered, samples, groups)
    return in_halves(equalised, exact=settings.exact)


def equalised_unasked(graph: Graph, calibration: NDArray, settings: QuantSettings) -> list[str]:
    """Names of the layers whose tensors `prepared` equalises though ``settings`` do not ask for it."""
    if settings.equalise:
        return []
    lowered = lower(graph)
    names = {name for group in _vanishing(lowered, calibration[:_EQUALISED], settings) for name in group}
    return [layer.name for layer in lowered.layers if layer.output in names]


def _vanishing(lowered: Graph, samples: NDArray, settings: QuantSettings) -> list[list[str]]:
    return vanishing(lowered, samples, settings.for_layers(lowered.layers))
