"""Models that come quantised: what in them has no integers of its own, and the same models without any."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ModelError
from ..graph import Graph, rebuild
from ..layers import AveragePool, Clamp, Concat, Layer, Mac, MaxPool, Product, Quantise, renamed
from .settings import QuantSettings

__all__ = ["Beside", "beside_integers", "forget_integers", "settings_beside"]

_EIGHT = "int8"
_SHOWN = 5


def settings_beside(graph: Graph, settings: QuantSettings) -> QuantSettings:
    """Settings for a lowered graph: of one with trained grids, what has no integers of its own gets 8 bits.

    Formats that the settings give to single layers stay.
    """
    if not graph.grids:
        return settings
    return replace(settings, weights=_EIGHT, acts=_EIGHT, edge_weights=None)


@dataclass(frozen=True)
class Beside:
    """What has no integers of its own in a model that comes quantised: names of tensors, and of layers with weights."""

    tensors: tuple[str, ...]
    weights: tuple[str, ...]

    @property
    def note(self) -> str:
        """A line that names them; empty if there are none."""
        parts = [("tensors", self.tensors), ("weights of layers", self.weights)]
        named = "; ".join(f"{what} {_listed(names)}" for what, names in parts if names)
        return f"without a quantiser of the model's own, so quantised to 8 bits: {named}" if named else ""


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def beside_integers(graph: Graph) -> Beside:
    """What of a lowered graph `settings_beside` gives 8 bits. Outputs have formats of their own in any case."""
    if not graph.grids:
        return Beside((), ())
    macs = [layer for layer in graph.layers if isinstance(layer, Mac)]
    layers = (layer.output for layer in graph.layers if isinstance(layer, Mac | Product))
    written = [*graph.starts, *(name for name in layers if name not in graph.output_tensors)]
    weights = [layer.name for layer in macs if any(term.step is None and not term.constant for term in layer.terms)]
    return Beside(tuple(name for name in written if name not in graph.grids), tuple(weights))


def forget_integers(graph: Graph) -> Graph:
    """A graph as a frontend makes it without its trained integers: weights and tensors are real numbers.

    Quantisers also clamp, which some exporters let them do instead of a Relu: so each leaves a clamp to the ends of its
    grid, unless what it reads lies within them anyway.

    Raises
    ------
    ModelError
        If a tensor holds signs: these are no rounding of anything.
    """
    ranges: dict[str, tuple[float, float]] = {}
    names: dict[str, str] = {}
    layers: list[Layer] = []
    for layer in graph.layers:
        layer = renamed(layer, names)
        low, high = _within(layer, ranges)
        if isinstance(layer, Mac):
            layer = replace(layer, terms=tuple(replace(term, step=None) for term in layer.terms), grid=None)
        elif isinstance(layer, Quantise):
            if layer.grid.bipolar:
                raise ModelError(f"layer {layer.name!r} gives signs: such a network has no other formats")
            ends = [layer.grid.scale * (end - layer.grid.zero) for end in (layer.grid.low, layer.grid.high)]
            read = ranges.get(layer.source, (-np.inf, np.inf))
            whole = layer.source in graph.starts or (ends[0] <= read[0] and read[1] <= ends[1])
            if whole and layer.output not in graph.ends:
                names[layer.output] = layer.source
                continue
            low, high = max(ends[0], read[0]), min(ends[1], read[1])
            layer = Clamp(name=layer.name, source=layer.source, low=ends[0], high=ends[1], output=layer.output)
        ranges[layer.output] = low, high
        layers.append(layer)
    return rebuild(replace(graph, grids={}), layers)


def _within(layer: Layer, ranges: dict[str, tuple[float, float]]) -> tuple[float, float]:
    """Ends between which what a layer writes lies."""
    read = [ranges.get(source, (-np.inf, np.inf)) for source in layer.sources]
    low, high = min(ends[0] for ends in read), max(ends[1] for ends in read)
    match layer:
        case Clamp():
            return float(np.clip(layer.low, low, high)), float(np.clip(layer.high, low, high))
        case AveragePool():
            return min(0.0, low), max(0.0, high)
        case MaxPool() | Concat():
            return low, high
    return -np.inf, np.inf
