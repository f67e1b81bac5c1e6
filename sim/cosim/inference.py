"""run_program, run_resident: programs on the simulated core, sample by sample, through the ordinary driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...sw.linked import Linked
from ...sw.program import Program
from ...sw.runtime import Transport
from ...sw.runtime.resident import Turn, run_turns
from ...sw.runtime.samples import SampleRecord, run_samples
from ..store_size import store_bytes
from .core_source import WrittenOnDemand
from .session import simulate

__all__ = ["CosimResult", "Progress", "run_program", "run_resident"]

Progress = Callable[[int, int], None]
"""Called with (samples done, samples in all)."""


@dataclass(frozen=True, kw_only=True)
class CosimResult:
    """What samples gave on a simulated core.

    Parameters
    ----------
    record : SampleRecord
    sim_cycles : int
        Clock cycles simulated, transfers included.
    wall_seconds : float
        What they took, without the simulator's start.
    """

    record: SampleRecord
    sim_cycles: int
    wall_seconds: float


def run_program(
    program: Program,
    levels: ArrayLike,
    *,
    verilog: WrittenOnDemand,
    simulator: str = "verilator",
    memory: str | None = None,
    dump_layers: int = 0,
    work_folder: Path | None = None,
    waves: bool = False,
    progress: Progress | None = None,
) -> CosimResult:
    """Run a program on a simulated core.

    Parameters
    ----------
    program : Program
    levels : array of int, shape (N, C, H, W)
        Levels of the graph's input tensor.
    verilog : WrittenOnDemand
        The core: `narrows.hw.core_verilog.CoreVerilog` of ``program.config``, or `GivenVerilog`.
    simulator : str
        As `simulate` takes it.
    dump_layers : int
        For so many first samples, stop after each layer and read its tensor.
    memory, work_folder, waves
        As :func:`simulate` takes them.
    progress : callable, optional

    Raises
    ------
    ToolMissing, SimulationError
        As :func:`simulate` does.
    ProgramError, TransportError, InputError
        As `Driver` does.
    """
    levels = np.asarray(levels, dtype=np.int64)

    async def infer(transport: Transport) -> SampleRecord:
        return await run_samples(transport, program, levels, dump_layers=dump_layers, progress=progress)

    done = simulate(
        verilog,
        infer,
        simulator=simulator,
        store_bytes=store_bytes(program.window_bytes),
        memory=memory,
        work_folder=work_folder,
        waves=waves,
    )
    return CosimResult(record=done.result, sim_cycles=done.cycles, wall_seconds=done.seconds)


def run_resident(
    linked: Linked,
    turns: Sequence[Turn],
    *,
    verilog: WrittenOnDemand,
    simulator: str = "verilator",
    stall: int = 0,
    progress: Progress | None = None,
) -> list[CosimResult]:
    """Load programs into a simulated core once, and run samples of them by turns.

    Parameters
    ----------
    linked : Linked
    turns : sequence of Turn
    verilog, simulator, progress
        As :func:`run_program` takes them.
    stall : int
        Handshakes of the host, of 256, that are put off by a cycle, at random (`CosimTransport.set_host`).

    Returns
    -------
    list of CosimResult
        One for each turn; cycles and seconds of the simulation are those of all turns.

    Raises
    ------
    NarrowsError
        As :func:`run_program` does.
    """

    async def infer(transport: Any) -> list[SampleRecord]:
        if stall:
            await transport.set_host(stall=stall)
        return await run_turns(transport, linked, turns, progress=progress)

    done = simulate(verilog, infer, simulator=simulator, store_bytes=store_bytes(linked.window_bytes))
    return [CosimResult(record=record, sim_cycles=done.cycles, wall_seconds=done.seconds) for record in done.result]
