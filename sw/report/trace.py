"""chrome_trace: a run in the JSON that Perfetto and chrome://tracing show."""

from __future__ import annotations

from typing import Any

from ...hw.spec.isa import Opcode
from ...hw.spec.registers import Region
from ..costs.timeline import Row, Timeline
from ..program import Program

__all__ = ["chrome_trace"]

_PROCESS = 1
_COUNTS = ("busy", "stall_drain", "stall_walk", "stall_load", "stall_store", "stall_token")


def chrome_trace(program: Program, run: Timeline) -> dict[str, Any]:
    """Trace in the Trace Event Format: complete events (``ph`` X), a row (``tid``) for each unit, one for the layers.

    Times are microseconds, one for each clock cycle since START.

    Parameters
    ----------
    program : Program
    run : Timeline
        Of the program.
    """
    rows = [row for row in Row if any(item.row is row for item in run.slices)]
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": _PROCESS, "name": "process_name", "args": {"name": f"narrows: {program.graph.name}"}}
    ]
    for tid, name in enumerate(("layers", *rows)):
        events.append({"ph": "M", "pid": _PROCESS, "tid": tid, "name": "thread_name", "args": {"name": str(name)}})
        events.append(
            {"ph": "M", "pid": _PROCESS, "tid": tid, "name": "thread_sort_index", "args": {"sort_index": tid}}
        )
    end = 0
    for step in run.steps:
        if step.opcode is Opcode.COMPUTE:
            begin, end = end, end + step.counts.cycles
            events.append(_event(0, step.layer, begin, end, {name: getattr(step.counts, name) for name in _COUNTS}))
    steps = {step.index: step for step in run.steps}
    for item in run.slices:
        step = steps[item.index]
        details: dict[str, Any] = {"instruction": item.index, "layer": step.layer}
        name = step.layer
        if step.opcode is not Opcode.COMPUTE:
            name = f"{step.opcode.name} {Region(step.fields['memory']).name.lower()} ({step.layer})"
            details["bytes"] = step.moved
        events.append(_event(1 + rows.index(item.row), name, item.begin, item.end, details))
    return {"traceEvents": events, "displayTimeUnit": "ns", "otherData": {"unit": "1 us is 1 clock cycle"}}


def _event(tid: int, name: str, begin: int, end: int, details: dict[str, Any]) -> dict[str, Any]:
    return {
        "ph": "X",
        "pid": _PROCESS,
        "tid": tid,
        "cat": "core",
        "name": name,
        "ts": begin,
        "dur": end - begin,
        "args": details,
    }
