"""interrupt_runs: what happens to runs on a simulated core at random moments, and what comes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.sim.cosim.job import Progress
from narrows.sim.cosim.session import simulate
from narrows.sim.store_size import store_bytes
from narrows.sw.program import Program
from numpy.typing import NDArray

__all__ = ["InterruptedReport", "interrupt_runs"]

_JOBS = {"uart": "campaign.unplugged_runs:run_unplugged"}
_JOB = "campaign.interrupted_runs:run_interrupted"


@dataclass(frozen=True, kw_only=True)
class InterruptedReport:
    """How many points of each event were tried, how the runs ended that it happened to, and what was wrong.

    ``cycles`` were simulated, ``run_cycles`` is what a run takes: over a serial line with all that goes over it.
    """

    points: Counter[str]
    ends: Counter[str]
    wrong: list[dict[str, Any]]
    cycles: int
    run_cycles: int


def interrupt_runs(
    program: Program, levels: NDArray[np.int64], points: int, seed: int, *, progress: Progress | None = None
) -> InterruptedReport:
    """Interrupt runs of a program at so many random points, with samples (N, C, H, W) by turns: those of a core with a
    UART by unplugging it, others as `interrupted_runs.EVENTS` says."""
    result = simulate(
        CoreVerilog(program.config),
        _JOBS.get(program.config.host, _JOB),
        arrays={"levels": np.asarray(levels, dtype=np.int64)},
        values={"points": points, "seed": seed},
        files=lambda folder: program.save(folder / "program.nrw"),
        store_bytes=store_bytes(program.window_bytes),
        progress=progress,
    )
    found = result.values
    return InterruptedReport(
        points=Counter(found["points"]),
        ends=Counter(found["ends"]),
        wrong=found["wrong"],
        cycles=result.sim_cycles,
        run_cycles=found["run_cycles"],
    )
