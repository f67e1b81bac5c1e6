"""simulate: one job on one simulated core."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ...sw.runtime import run_sync
from ..builds import cache_folder
from ..flash import FLASH_IMAGE, flash_arguments
from ..store_size import STORE_BYTES
from .bench_process import running_bench
from .core_source import WrittenOnDemand, line_of
from .errors import SimulationError
from .player import CosimTransport
from .serial_player import CosimSerialTransport
from .simulators import bench_command, kept_simulator

__all__ = ["WALL_LIMIT_SECONDS", "Simulated", "simulate"]

_Result = TypeVar("_Result")

WALL_LIMIT_SECONDS = 3600.0
"""A simulation that answers nothing for so long is ended."""


@dataclass(frozen=True, kw_only=True)
class Simulated(Generic[_Result]):
    """What a job gave, the clock cycles simulated, and the seconds that it took without the simulator's start."""

    result: _Result
    cycles: int
    seconds: float


def simulate(
    verilog: WrittenOnDemand,
    job: Callable[[Any], Coroutine[Any, Any, _Result]],
    *,
    simulator: str = "verilator",
    store_bytes: int = STORE_BYTES,
    memory: str | None = None,
    strikes: bool = False,
    flash: bytes = b"",
    flash_offset: int = 0,
    work_folder: Path | None = None,
    waves: bool = False,
    wall_limit: float = WALL_LIMIT_SECONDS,
) -> Simulated[_Result]:
    """Start a simulator of a core and do a job with it.

    Parameters
    ----------
    verilog : WrittenOnDemand
        A module ``narrows_core`` with all it needs: `narrows.hw.core_verilog.CoreVerilog` of a configuration, or
        `GivenVerilog`. It is written only where no build of it is kept.
    job : callable
        Called with a transport to the core, a `CosimTransport` or `CosimSerialTransport` as its host port wants.
    simulator : str
        ``"verilator"`` or ``"icarus"``, or `simulators.ACTIVITY_SIMULATOR`.
    store_bytes : int
        Size of the memory behind a core with a bus, a power of two.
    memory : str, optional
        Verilog of that memory, where it is not `memory.v`: of `narrows.sim.sdram.memory_verilog`.
    strikes : bool
        The core has a task ``strike(array, word, bit)`` for `CosimTransport.strike`.
    flash : bytes
        What a core that boots finds in its flash, from byte ``flash_offset`` on.
    work_folder : Path, optional
        Keep the job's files there (log, waveform); without it they are in a temporary folder, which goes when all went
        well.
    waves : bool
        Write a waveform (``dump.vcd``, ``bench.fst``) into the work folder.
    wall_limit : float
        Seconds without an answer after which the simulation is ended.

    Raises
    ------
    ToolMissing
        If the simulator or something it needs is not installed.
    SimulationError
        If the simulator cannot be built, crashes, hangs or runs into the limit; the message names the log.
    NarrowsError
        Whatever error for the user the job raised.
    """
    folder = Path(tempfile.mkdtemp(prefix="narrows-sim-")) if work_folder is None else work_folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    log, keep, config = folder / "simulator.log", work_folder is not None, verilog.config
    log.unlink(missing_ok=True)
    try:
        build = kept_simulator(
            verilog,
            store_bytes=store_bytes,
            memory=memory,
            strikes=strikes,
            simulator=simulator,
            waves=waves,
            cache=cache_folder(),
        )
        if config.boot:
            (folder / FLASH_IMAGE).write_bytes(flash)
        command = bench_command(build, simulator=simulator, waves=waves)
        command += flash_arguments(folder / FLASH_IMAGE, flash_offset) if config.boot else []
        with running_bench(command, folder=folder, log=log, patience=wall_limit) as bench:
            line = line_of(config)
            transport = CosimTransport(bench) if line == "bus" else CosimSerialTransport(bench, line)
            began = time.perf_counter()
            result = run_sync(job(transport))
            seconds = time.perf_counter() - began
    except SimulationError as error:
        if not log.exists():  # it was not even built
            raise
        keep = True
        raise SimulationError(f"{error}; see {log}") from error
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return Simulated(result=result, cycles=transport.cycles, seconds=seconds)
