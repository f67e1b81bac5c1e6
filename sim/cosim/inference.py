"""run_program, run_resident: programs on the simulated core, sample by sample, through the ordinary driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...sw.linked import Linked
from ...sw.program import Program
from ...sw.runtime.resident import Turn
from ...sw.runtime.samples import SampleRecord
from ..store_size import store_bytes
from .core_source import WrittenOnDemand
from .infer import BY_TENSOR
from .job import Progress
from .session import simulate

__all__ = ["CosimResult", "run_program", "run_resident"]

_ENTRY = f"{__package__}.infer:infer"
_TURNS = f"{__package__}.infer:infer_turns"


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
    memory, work_folder, waves, progress
        As :func:`simulate` takes them; progress counts samples.

    Raises
    ------
    ToolMissing, SimulationError
        As :func:`simulate` does.
    ProgramError, TransportError, InputError
        As `Driver` does.
    """
    result = simulate(
        verilog,
        _ENTRY,
        arrays={"levels": np.asarray(levels, dtype=np.int64)},
        values={"dump_layers": dump_layers},
        files=lambda folder: program.save(folder / "program.nrw"),
        simulator=simulator,
        store_bytes=store_bytes(program.window_bytes),
        memory=memory,
        work_folder=work_folder,
        waves=waves,
        progress=progress,
    )
    record = _record(result.arrays)
    return CosimResult(record=record, sim_cycles=result.sim_cycles, wall_seconds=result.wall_seconds)


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
    result = simulate(
        verilog,
        _TURNS,
        arrays={f"{number}": turn.levels for number, turn in enumerate(turns)},
        values={"names": [turn.name for turn in turns], "stall": stall},
        files=lambda folder: linked.save(folder / "linked.nrw"),
        simulator=simulator,
        store_bytes=store_bytes(linked.window_bytes),
        progress=progress,
    )
    took = {"sim_cycles": result.sim_cycles, "wall_seconds": result.wall_seconds}
    parts: list[dict[str, NDArray[Any]]] = [{} for _ in turns]
    for name, array in result.arrays.items():
        number, _, own = name.partition("/")
        parts[int(number)][own] = array
    return [CosimResult(record=_record(part), **took) for part in parts]


def _record(arrays: Mapping[str, NDArray[Any]]) -> SampleRecord:
    """The record that `infer` took apart."""
    grouped: dict[str, Any] = {group: {} for group in BY_TENSOR}
    for name, array in arrays.items():
        group, _, tensor = name.partition(" ")
        if tensor:
            grouped[group][tensor] = array
        else:
            grouped[name] = array
    return SampleRecord(**grouped)
