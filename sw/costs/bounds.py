"""Cycles that a layer takes at least on a core, from the shape of the array, its bandwidth and the drain."""

from __future__ import annotations

from dataclasses import dataclass

from ..compile.planners import planner_of
from ..program import Program

__all__ = ["LayerBound", "layer_bounds"]


@dataclass(frozen=True, kw_only=True)
class LayerBound:
    """Lower bounds of a layer's cycles.

    ``array`` are the steps if every word that is read is as full as the layer's values allow, ``drain`` the cycles in
    which results leave, ``latency`` those from the last step to the last write, which nothing hides, since the next
    layer reads what this one writes. Every step reads one weight word and one word a row: that is all the bandwidth
    there is, so that ``array`` is the bound from bandwidth, too.
    """

    name: str
    array: int
    drain: int
    latency: int

    @property
    def cycles(self) -> int:
        """The bound: the slower of array and drain, and the latency."""
        return max(self.array, self.drain) + self.latency


def layer_bounds(program: Program) -> list[LayerBound]:
    """Bounds of a program's layers, in order, as their planners know them (`compile/planner.py`)."""
    planners = [planner_of(layer, program.graph, program.config) for layer in program.graph.layers]
    return [LayerBound(name=each.layer.name, **each.least(program.layouts)._asdict()) for each in planners]
