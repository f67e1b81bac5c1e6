"""Cycles that a layer takes at least on a core, from the shape of the array, its bandwidth and the drain."""

from __future__ import annotations

from dataclasses import dataclass

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.early import front_cycles
from ...hw.spec.pipeline import pipeline
from ..compile.planner import LeastCycles
from ..compile.planners import planner_of
from ..program import Program

__all__ = ["LayerBound", "layer_bounds"]


@dataclass(frozen=True, kw_only=True)
class LayerBound:
    """Lower bounds of a layer's cycles, from the last write of the layer before to its own.

    ``array`` are the steps if every word that is read is as full as the layer's values allow, and the cycles before
    and behind them that no step can fill; ``drain`` likewise those in which results leave. Every step reads one weight
    word and one word a row: that is all the bandwidth there is, so that ``array`` is the bound from bandwidth, too.
    """

    name: str
    array: int
    drain: int

    @property
    def cycles(self) -> int:
        """The bound: the slower of array and drain."""
        return max(self.array, self.drain)


def layer_bounds(program: Program) -> list[LayerBound]:
    """Bounds of a program's layers, in order, as their planners know them (`compile/planner.py`)."""
    planners = [planner_of(layer, program.graph, program.config) for layer in program.graph.layers]
    bounds, before = [], None
    for planner in planners:
        least = planner.least(program.layouts)
        steps, results = _beside(program.config, least, before)
        bounds.append(LayerBound(name=planner.layer.name, array=least.array + steps, drain=least.drain + results))
        before = least
    return bounds


def _beside(config: AcceleratorConfig, least: LeastCycles, before: LeastCycles | None) -> tuple[int, int]:
    """Cycles beside a layer's steps, and beside those in which its results leave.

    Nothing hides those from the last step to the last write, unless steps come early: then the layer before may still
    drain as long as one does at most. Its results may leave `Pipeline.writer` cycles before that has ended.
    """
    if before is None or not config.issues_early:
        return least.latency, least.latency
    plan = pipeline(config)
    still_drains = before.latency + before.tile - 1
    return front_cycles(config) - 1 + least.latency - still_drains, least.latency - plan.writer + plan.release
