"""simulate: one job on one simulated core, seen from the calling process."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..builds import cache_folder
from ..flash import FLASH_IMAGE, flash_arguments
from ..store_size import STORE_BYTES
from .core_source import WrittenOnDemand, line_of
from .errors import SimulationError
from .job import Job, JobResult, Progress, read_progress
from .simulators import kept_simulator, start_simulator

__all__ = ["WALL_LIMIT_SECONDS", "simulate"]

WALL_LIMIT_SECONDS = 3600.0
"""A simulation that shows no progress for so long is ended."""


def simulate(
    verilog: WrittenOnDemand,
    entry: str,
    *,
    arrays: Mapping[str, NDArray[Any]] | None = None,
    values: Mapping[str, Any] | None = None,
    files: Callable[[Path], None] | None = None,
    simulator: str = "verilator",
    store_bytes: int = STORE_BYTES,
    memory: str | None = None,
    flash: bytes = b"",
    flash_offset: int = 0,
    work_folder: Path | None = None,
    waves: bool = False,
    progress: Progress | None = None,
    wall_limit: float = WALL_LIMIT_SECONDS,
) -> JobResult:
    """Run a function inside a simulator around a core.

    Parameters
    ----------
    verilog : WrittenOnDemand
        A module ``narrows_core`` with all it needs: `narrows.hw.core_verilog.CoreVerilog` of a configuration, or
        `GivenVerilog`. It is written only where no build of it is kept.
    entry : str
        ``"package.module:function"``, a `JobFunction`; importable from ``sys.path`` as it is now.
    arrays, values : mapping
        Arguments: numpy arrays, and anything JSON holds.
    files : callable, optional
        Called with the work folder to leave further files there.
    simulator : str
        ``"verilator"`` or ``"icarus"``, or `simulators.ACTIVITY_SIMULATOR`.
    store_bytes : int
        Size of the memory behind a core with a bus, a power of two.
    memory : str, optional
        Verilog of that memory, where it is not `memory.v`: of `narrows.sim.sdram.memory_verilog`.
    flash : bytes
        What a core that boots finds in its flash, from byte ``flash_offset`` on.
    work_folder : Path, optional
        Keep the job's files there (log, waveform); without it they are in a temporary folder, which goes when all went
        well.
    waves : bool
        Write a waveform (``dump.vcd``, ``bench.fst``) into the work folder.
    progress : callable, optional
        Called with (steps done, steps in all) as the job reports them.
    wall_limit : float
        Seconds without progress after which the simulation is ended.

    Raises
    ------
    ToolMissing
        If the simulator or something it needs is not installed.
    SimulationError
        If the simulator cannot be built, crashes, hangs or runs into the limit; the message names the log.
    NarrowsError
        Whatever error for the user the function raised.
    """
    folder = Path(tempfile.mkdtemp(prefix="narrows-sim-")) if work_folder is None else work_folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in ("result.json", "progress", "simulator.log"):
        (folder / leftover).unlink(missing_ok=True)
    log, keep = folder / "simulator.log", work_folder is not None
    watch, config = _Watch(folder, progress, wall_limit), verilog.config
    try:
        build = kept_simulator(
            verilog,
            store_bytes=store_bytes,
            memory=memory,
            simulator=simulator,
            waves=waves,
            cache=cache_folder(),
            tick=watch,
        )
        Job(entry=entry, folder=folder, arrays=arrays or {}, values=values or {}).save()
        if files is not None:
            files(folder)
        if config.boot:
            (folder / FLASH_IMAGE).write_bytes(flash)
        watch.restart()
        with tempfile.TemporaryDirectory(prefix="narrows-sim-", dir=_memory_folder()) as exchange:
            start_simulator(
                build,
                f"{__package__}.entry",
                simulator=simulator,
                waves=waves,
                folder=folder if waves else Path(exchange),
                log=log,
                results=folder / "results.xml",
                variables={"NARROWS_JOB": str(folder), "NARROWS_LINE": line_of(config)},
                tick=watch,
                arguments=flash_arguments(folder / FLASH_IMAGE, flash_offset) if config.boot else (),
            )
        result = JobResult.load(folder)
    except SimulationError as error:
        if not log.exists():  # it was not even built
            raise
        keep = True
        raise SimulationError(f"{error}; see {log}") from error
    except FileNotFoundError as error:
        if not log.exists():
            raise
        keep = True
        raise SimulationError(f"the simulation ended without a result; see {log}") from error
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    if result.error is not None:
        raise result.error
    return result


def _memory_folder() -> str | None:
    """Where bench and Python trade their files, thousands of times a run: in memory where that exists."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class _Watch:
    """Passes progress on, and ends what shows none."""

    def __init__(self, folder: Path, progress: Progress | None, limit: float) -> None:
        self._folder = folder
        self._progress = progress
        self._limit = limit
        self.restart()

    def restart(self) -> None:
        self._last: tuple[int, int] | None = None
        self._since = time.monotonic()

    def __call__(self) -> None:
        now = read_progress(self._folder)
        if now is not None and now != self._last:
            self._last, self._since = now, time.monotonic()
            if self._progress is not None:
                self._progress(*now)
        elif time.monotonic() - self._since > self._limit:
            raise SimulationError(f"the simulation showed no progress for {self._limit:.0f} seconds")
