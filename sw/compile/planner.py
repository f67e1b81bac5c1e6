"""Planner: what the compiler asks of a layer, whatever its kind."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.cycles import compute_cycles
from ...hw.spec.isa import Mode
from ...hw.spec.layout import TensorLayout
from ..quantised import IntegerLayer, QuantisedGraph
from .geometry import POINT, Walk, Window, choose_walk
from .phases import Phase
from .plan import LoweredLayer
from .shortages import Shortages

__all__ = ["LeastCycles", "Planner"]

Layouts = Mapping[str, TensorLayout]
Layer = TypeVar("Layer", bound=IntegerLayer)


class LeastCycles(NamedTuple):
    """Cycles that a layer takes at least: of the array's steps, of the drain's results, from the last step on; and in
    which a full tile drains."""

    array: int
    drain: int
    latency: int
    tile: int


class Planner(ABC, Generic[Layer]):
    """A layer between tensors of a graph, on a core: what it needs, how it may be laid out, and what becomes of it.

    Kinds have a planner each (`planners.py`). Where a method takes ``layouts``, they hold all tensors around the layer.

    Parameters
    ----------
    layer : IntegerLayer
    graph : QuantisedGraph
        Its tensors, at least those around the layer.
    config : AcceleratorConfig
    """

    mode: ClassVar[Mode]
    """In which the layer is computed."""

    def __init__(self, layer: Layer, graph: QuantisedGraph, config: AcceleratorConfig) -> None:
        self.layer, self.graph, self.config = layer, graph, config
        self.output = graph.tensors[layer.output]

    # What it needs

    @abstractmethod
    def check_units(self, shortages: Shortages) -> None:
        """See whether the core has the roundings, the digit planes and the units that the layer needs."""

    def check_bands(self) -> None:
        """See whether the layer can be cut into bands of lines.

        Raises
        ------
        CapacityError
            If it cannot.
        """

    # Layouts

    @abstractmethod
    def written(self, layouts: Layouts) -> tuple[int, int]:
        """Channels that it writes, those that are none of its output's included, and digit planes of each."""

    def windows(self, name: str) -> list[Window]:
        """Windows through which it reads a tensor."""
        return [Window.of(reader) for reader in self.layer.readers if reader.source == name]

    def in_columns(self, name: str) -> bool:
        """Whether pixels of a tensor have to lie side by side, since they take the place of columns."""
        return False

    def packed(self, name: str, layouts: Layouts) -> list[TensorLayout]:
        """Layouts made for this layer alone, of a tensor that nothing else reads: such cannot be cut into bands."""
        return []

    @abstractmethod
    def walk(self, layouts: Layouts) -> Walk | None:
        """Cheapest walk of pixel groups over its sources; None if their layouts disagree."""

    def _walk(self, layouts: Layouts, rows: int, points: Sequence[str] = ()) -> Walk | None:
        """Walk over all windows, and over tensors that are read pixel by pixel, of groups of so many at most."""
        read = [(Window.on(reader, layouts[reader.source]), reader.source) for reader in self.layer.readers]
        read += [(POINT, name) for name in points]
        steps = [window.steps(layouts[name]) for window, name in read]
        return choose_walk(steps, self.layer.size(self.output), rows)

    def cycles(self, layouts: Layouts) -> int | None:
        """Cycles that it takes, as `compute_cycles` estimates them; None if it cannot run between such layouts."""
        walk = self.walk(layouts)
        if walk is None:
            return None
        height, width = self.layer.size(self.output)
        fields = {
            "out_height": height,
            "out_width": width,
            "rows": walk.rows,
            "wrap": walk.wrap,
            "planes": layouts[self.layer.output].planes,
            "mode": self.mode,
            **self.extent(layouts),
        }
        return math.prod(self.layer.enlarge) * compute_cycles(self.config, fields, self.steps(layouts)).cycles

    @abstractmethod
    def extent(self, layouts: Layouts) -> dict[str, int]:
        """Fields of its COMPUTE that say over how many column groups it goes, and over what else than its pixels."""

    @abstractmethod
    def steps(self, layouts: Layouts) -> int:
        """Words that are read for one tile, as far as that can be told without a walk over all of them."""

    # Parts and their lowering

    @property
    def unit(self) -> int:
        """Column groups that a range of channels that is computed by itself holds a multiple of; 0 if all channels are
        computed at once."""
        return 0

    def phases(self) -> Iterator[Phase[Layer]]:
        """Parts that are computed one after the other."""
        yield Phase(self.layer)

    @abstractmethod
    def lower(self, layouts: Layouts) -> LoweredLayer:
        """The layer with those fields of its COMPUTE that are its own (`lower.lower_layer` adds all others).

        Raises
        ------
        CapacityError
            If a tap reaches too far beyond a border, or a parameter does not fit.
        """

    # Bounds

    @abstractmethod
    def least(self, layouts: Layouts) -> LeastCycles:
        """Cycles that it takes at least on a core of this shape, however it is laid out."""
