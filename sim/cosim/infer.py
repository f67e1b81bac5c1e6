"""infer: samples of a program through the ordinary driver, inside a simulator; it imports nothing that starts one."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from numpy.typing import NDArray

from ...sw.linked import Linked
from ...sw.program import Program
from ...sw.runtime import Transport
from ...sw.runtime.resident import Turn, run_turns
from ...sw.runtime.samples import SampleRecord, run_samples
from .job import Job, Progress

__all__ = ["BY_TENSOR", "infer", "infer_turns"]

BY_TENSOR = ("outputs", "dumps")
"""Fields of a `SampleRecord` that hold tensors by name."""

_COUNTERS = tuple(field.name for field in fields(SampleRecord) if field.name not in BY_TENSOR)


async def infer(transport: Transport, job: Job, progress: Progress) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The job inside the simulator; see `inference.run_program` for arguments and results."""
    program = Program.load(job.folder / "program.nrw")
    record = await run_samples(
        transport, program, job.arrays["levels"], dump_layers=job.values["dump_layers"], progress=progress
    )
    return _arrays(record), {}


async def infer_turns(
    transport: Transport, job: Job, progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The job inside the simulator of `inference.run_resident`."""
    if job.values["stall"]:
        await transport.set_host(stall=job.values["stall"])  # type: ignore[attr-defined]
    turns = [Turn(name, job.arrays[f"{number}"]) for number, name in enumerate(job.values["names"])]
    records = await run_turns(transport, Linked.load(job.folder / "linked.nrw"), turns, progress=progress)
    arrays = {f"{turn}/{name}": array for turn, record in enumerate(records) for name, array in _arrays(record).items()}
    return arrays, {}


def _arrays(record: SampleRecord) -> dict[str, NDArray[Any]]:
    """What a record holds, one level deep."""
    arrays: dict[str, NDArray[Any]] = {name: getattr(record, name) for name in _COUNTERS}
    for group in BY_TENSOR:
        arrays |= {f"{group} {name}": array for name, array in getattr(record, group).items()}
    return arrays
