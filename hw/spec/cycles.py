"""Cycle cost of an instruction: one model for ISA model, tiling, reports and the host's watchdog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .config import AcceleratorConfig
from .isa import Mode

__all__ = ["INSTRUCTION_OVERHEAD", "CycleCount", "compute_cycles"]

INSTRUCTION_OVERHEAD = 24
"""Cycles of an instruction beyond its steps: fetch, first block and tap, pipeline fill and drain."""


@dataclass(frozen=True, kw_only=True)
class CycleCount:
    """Cycles of an instruction or a run, as the counters of `registers.Register` report them."""

    cycles: int = 0
    busy: int = 0
    stall_drain: int = 0
    stall_walk: int = 0

    def __add__(self, other: CycleCount) -> CycleCount:
        return CycleCount(
            cycles=self.cycles + other.cycles,
            busy=self.busy + other.busy,
            stall_drain=self.stall_drain + other.stall_drain,
            stall_walk=self.stall_walk + other.stall_walk,
        )


def compute_cycles(config: AcceleratorConfig, fields: Mapping[str, int], steps: int) -> CycleCount:
    """Cycles of one COMPUTE.

    A tile takes its steps, or as long as the tile before it drains if that is longer.

    Parameters
    ----------
    config : AcceleratorConfig
    fields : mapping
        Fields of the instruction (`isa.COMPUTE`).
    steps : int
        Words read for one tile: the sum of ``groups * tap_count`` over its blocks.
    """
    height, width = fields["out_height"], fields["out_width"]
    rows = max(fields["rows"], 1)  # a core refuses 0; the host still has to set its watchdog
    tiles_per_group = fields["column_groups"]
    if fields["wrap"]:
        full, rest = divmod(height * width, rows)
        groups = {rows: full, rest: int(rest > 0)}
    else:
        full, rest = divmod(width, rows)
        groups = {rows: full * height, rest: height * int(rest > 0)}
    per_pixel = fields["planes"] * (config.tile_granules if fields["mode"] == Mode.MAC else 1)
    busy = stall = longest = 0
    for pixels, count in groups.items():
        if not count:
            continue
        drain = pixels * per_pixel
        busy += count * tiles_per_group * steps
        stall += count * tiles_per_group * max(0, drain - steps)
        longest = max(longest, drain)
    return CycleCount(cycles=busy + stall + longest + INSTRUCTION_OVERHEAD, busy=busy, stall_drain=stall)
