"""spreads: how often each level stands in the tensors of a program over samples, and what its range cuts off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..enlarging import enlarged
from ..quantised import IntegerLayer, LevelTable, QuantisedGraph, QuantisedTensor

__all__ = ["Spread", "spreads"]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Values of a tensor.

    Parameters
    ----------
    name : str
        The tensor.
    layer : int
        The number, from 1, of the layer that writes it; 0 for what a run begins with.
    levels : array of int64, shape (L,)
        Levels of its format within its clamp, in increasing order.
    counts : array of int64, shape (L,)
        How often each occurs.
    tensor : QuantisedTensor
    below, above : float or None
        Share of the values that lie beyond either end of the range before they are rounded, and are clipped to it. None
        where nothing is: max-pools choose among levels, and a lower end at zero is what a ReLU is for.
    """

    name: str
    layer: int
    levels: NDArray[np.int64]
    counts: NDArray[np.int64]
    tensor: QuantisedTensor
    below: float | None
    above: float | None

    @property
    def zero(self) -> float:
        """Share of the values that are zero."""
        return float(self.counts[self.levels == self.tensor.zero].sum() / max(1, self.counts.sum()))

    @property
    def reach(self) -> tuple[float, float]:
        """Real values of the lowest and of the highest level."""
        low, high = (self.tensor.scale * (float(level) - self.tensor.zero) for level in self.levels[[0, -1]])
        return low, high


def spreads(
    graph: QuantisedGraph, levels: Mapping[str, NDArray[np.int64]], places: NDArray[np.float64]
) -> list[Spread]:
    """Spread of every tensor, first those that a run begins with, then what each layer writes.

    Parameters
    ----------
    graph : QuantisedGraph
    levels : mapping of int64 arrays, shape (N, C, H, W)
        All its tensors on some samples.
    places : array of float, shape (N, C, H, W)
        The samples on the input's scale, ``x / scale + Z``, before they are rounded.
    """
    found = []
    for name in graph.starts:
        given = places if name == graph.input.tensor else None
        found.append(_spread(graph.tensors[name], 0, levels[name], given, graph.tensors[name]))
    for number, layer in enumerate(graph.layers, start=1):
        tensor = graph.tensors[layer.output]
        found.append(_spread(tensor, number, levels[tensor.name], _places(layer, graph, levels), layer.table or tensor))
    return found


def _places(layer: IntegerLayer, graph: QuantisedGraph, levels: Mapping[str, NDArray]) -> NDArray[np.float64] | None:
    """What a layer rounds, of its output's shape, in levels of that or in integers that its table takes; or None."""
    sources = {name: levels[name].astype(np.float64) for name in layer.sources}
    values = layer.unrounded(graph.tensors, sources)
    if values is None:
        return None
    return enlarged(values + (layer.table or graph.tensors[layer.output]).zero, layer.enlarge)


def _spread(
    tensor: QuantisedTensor,
    layer: int,
    levels: NDArray[np.int64],
    places: NDArray[np.float64] | None,
    clamp: QuantisedTensor | LevelTable,
) -> Spread:
    """``places`` are what is rounded and then clamped as ``clamp`` says."""
    known = tensor.format.levels
    known = known[(known >= tensor.low) & (known <= tensor.high)]
    counts = np.bincount(np.searchsorted(known, levels.reshape(-1)), minlength=len(known))[: len(known)]
    below = above = None
    if places is not None and places.size:
        below = None if clamp.low == clamp.zero else float((places < clamp.low).mean())
        above = float((places > clamp.high).mean())
    return Spread(
        name=tensor.name,
        layer=layer,
        levels=known,
        counts=counts.astype(np.int64),
        tensor=tensor,
        below=below,
        above=above,
    )
