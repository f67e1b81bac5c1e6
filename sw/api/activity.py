"""measured: how often a core's signals change while it runs samples, from the program's side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..extras import need
from ..runtime import prepare_input
from .samples import SampleSource, samples_of

if TYPE_CHECKING:
    from ...sim.cosim.activity import Activity
    from .program import Program

__all__ = ["activity_rows", "measured"]


def measured(program: Program, x: SampleSource, *, limit: int, saif: Path | None) -> Activity:
    """What `Program.activity` gives."""
    need("amaranth", "cores", "generator")
    from ...hw.core_verilog import CoreVerilog
    from ...sim.cosim.activity import measure_activity

    samples, _ = samples_of(x, program.graph.input.shape)
    if min(len(samples), limit) < 2:
        raise InputError("activity is what samples add to the first one: give two samples at least")
    levels = prepare_input(program.graph, samples[:limit])
    with program.listener.progress("simulating with switching activity") as step:
        return measure_activity(
            program.compiled,
            levels,
            verilog=CoreVerilog(program.compiled.config),
            saif=saif,
            progress=lambda done, total: step(done, total, "samples"),
        )


def activity_rows(activity: Activity, depth: int) -> list[dict[str, str | int | float]]:
    """Modules down to a depth, the busiest first: ``module``, ``bits``, ``toggles_per_cycle``, ``activity`` (changes of
    a bit in a cycle) and ``share`` of all changes; a module counts with all that is in it."""
    total = activity.within(()).toggles or 1
    rows = []
    for path in activity.paths(depth):
        bits, toggles = activity.within(path)
        rows.append(
            {
                "module": ".".join(path) or "core",
                "bits": bits,
                "toggles_per_cycle": toggles / activity.cycles,
                "activity": toggles / activity.cycles / max(bits, 1),
                "share": toggles / total,
            }
        )
    return sorted(rows, key=lambda row: -float(row["share"]))
