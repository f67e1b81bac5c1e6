"""layer_rows: where the cycles of a program go, layer by layer."""

from __future__ import annotations

from typing import Any

from narrows.sw.costs.bounds import layer_bounds
from narrows.sw.costs.work import layer_work, utilisation
from narrows.sw.program import Program

__all__ = ["layer_rows"]


def layer_rows(program: Program) -> list[dict[str, Any]]:
    """Of every layer: useful multiplications, cycles of the cycle model and what they go to, bound, utilisation."""
    layers = []
    for work, bound in zip(layer_work(program), layer_bounds(program), strict=True):
        lost = work.cycles - work.busy - work.stall_drain - work.stall_walk
        layers.append(
            {
                "layer": work.name,
                "macs": work.macs,
                "cycles": work.cycles,
                "busy": work.busy,
                "stall_drain": work.stall_drain,
                "stall_walk": work.stall_walk,
                "fill_and_drain": lost,
                "bound": bound.cycles,
                "of_bound": bound.cycles / work.cycles,
                "utilisation": utilisation(work.macs, work.cycles, program.config.macs),
            }
        )
    return layers
