"""infer: samples of a program through the ordinary driver, inside a simulator; it imports nothing that starts one."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from numpy.typing import NDArray

from ...sw.program import Program
from ...sw.runtime import Transport
from ...sw.runtime.samples import SampleRecord, run_samples
from .job import Job, Progress

__all__ = ["BY_TENSOR", "infer"]

BY_TENSOR = ("outputs", "dumps")
"""Fields of a `SampleRecord` that hold tensors by name."""

_COUNTERS = tuple(field.name for field in fields(SampleRecord) if field.name not in BY_TENSOR)


async def infer(transport: Transport, job: Job, progress: Progress) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The job inside the simulator; see `inference.run_program` for arguments and results."""
    program = Program.load(job.folder / "program.nrw")
    record = await run_samples(
        transport, program, job.arrays["levels"], dump_layers=job.values["dump_layers"], progress=progress
    )
    arrays: dict[str, NDArray[Any]] = {name: getattr(record, name) for name in _COUNTERS}
    for group in BY_TENSOR:
        arrays |= {f"{group} {name}": array for name, array in getattr(record, group).items()}
    return arrays, {}
