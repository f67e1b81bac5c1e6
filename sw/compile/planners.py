"""planner_of: the planner of a layer's kind."""

from __future__ import annotations

from typing import Any

from ...hw.spec.config import AcceleratorConfig
from ..quantised import IntegerLayer, MacLayer, MaxLayer, QuantisedGraph
from .mac_planner import MacPlanner
from .max_planner import MaxPlanner
from .planner import Planner

__all__ = ["PLANNERS", "planner_of"]

PLANNERS: dict[type[IntegerLayer], type[Planner[Any]]] = {MacLayer: MacPlanner, MaxLayer: MaxPlanner}
"""By kind; outlines of a kind have its planner."""


def planner_of(layer: IntegerLayer, graph: QuantisedGraph, config: AcceleratorConfig) -> Planner[Any]:
    """Planner of a layer between tensors of a graph; TypeError if nothing plans its kind."""
    for kind in type(layer).__mro__:
        if kind in PLANNERS:
            return PLANNERS[kind](layer, graph, config)
    raise TypeError(f"layer {layer.name!r} is a {type(layer).__name__}, which nothing plans")
