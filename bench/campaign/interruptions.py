"""interrupt_runs: what happens to runs on a simulated core at random moments, and what comes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.sim.cosim.inference import Progress
from narrows.sim.cosim.session import simulate
from narrows.sim.store_size import store_bytes
from narrows.sw.program import Program
from numpy.typing import NDArray

from .interrupted_runs import run_interrupted
from .unplugged_runs import run_unplugged

__all__ = ["InterruptedReport", "interrupt_runs"]


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
    job = run_unplugged if program.config.host == "uart" else run_interrupted
    done = simulate(
        CoreVerilog(program.config),
        lambda transport: job(transport, program, levels, points, seed, progress or (lambda *_: None)),
        store_bytes=store_bytes(program.window_bytes),
    )
    return InterruptedReport(**done.result._asdict(), cycles=done.cycles)
