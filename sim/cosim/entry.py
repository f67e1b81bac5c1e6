"""The cocotb module: runs the job of the folder that NARROWS_JOB names against the simulated core."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

from ...sw.errors import NarrowsError
from .job import Job, JobResult, resolve, write_progress
from .player import CosimTransport
from .serial_player import CosimSerialTransport

__all__ = ["run_job"]


_REPORT_SECONDS = 0.1


class _Reporter:
    """Passes progress on, but not so often that writing it takes noticeable time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._due = 0.0

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() >= self._due:
            write_progress(self._folder, done, total)
            self._due = time.monotonic() + _REPORT_SECONDS


@cocotb.test()
async def run_job(top: Any) -> None:
    """Run the job and leave its result; an error meant for the user is a result, any other one a failed simulation."""
    folder = Path(os.environ["NARROWS_JOB"])
    job = Job.load(folder)
    function = resolve(job.entry)
    line = os.environ["NARROWS_LINE"]
    transport = CosimTransport(top) if line == "bus" else CosimSerialTransport(top, line)
    await Timer(1, "ns")  # past the changes that initial values make
    started = time.perf_counter()
    try:
        arrays, values = await function(transport, job, _Reporter(folder))
    except NarrowsError as error:
        result = JobResult(error=error)
    else:
        wall = time.perf_counter() - started
        result = JobResult(arrays=arrays, values=values, sim_cycles=transport.cycles, wall_seconds=wall)
    result.save(folder)
