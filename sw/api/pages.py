"""What a program does with its time and its memories: run, trace, summary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..results import write_json

if TYPE_CHECKING:
    from ...hw.spec.transfer_cycles import BusTiming
    from ..costs.timeline import Timeline
    from ..program import Program

__all__ = ["run_of", "summary_of", "write_trace"]


def write_trace(program: Program, path: Path, *, bus: tuple[int, int]) -> tuple[int, int]:
    """Write the trace; gives instructions and cycles of the run."""
    from ..report.trace import chrome_trace

    run, _ = run_of(program, bus)
    write_json(path, chrome_trace(program, run))
    return len(run.steps), run.cycles


def summary_of(program: Program) -> dict[str, Any]:
    """Layers, the widest certificate, and memories used and available."""
    from ..costs.memory_use import memory_use

    return {
        "layers": [layer.name for layer in program.graph.layers],
        "cert_bits": max((layer.cert_bits for layer in program.graph.layers), default=0),
        "memories": {
            name: {"used": used, "available": available} for name, (used, available) in memory_use(program).items()
        },
    }


def run_of(program: Program, bus: tuple[int, int]) -> tuple[Timeline, BusTiming]:
    """The run of a program, with a backing store of so many cycles of latency and pace, and that bus.

    Raises
    ------
    ProgramError
        If it never ends.
    """
    from ...hw.spec.schedule import DeadlockError
    from ...hw.spec.transfer_cycles import BusTiming
    from ..costs.timeline import timeline
    from ..errors import ProgramError

    timing = BusTiming(latency=bus[0], pace=bus[1])
    try:
        return timeline(program, timing), timing
    except DeadlockError as error:
        raise ProgramError(f"the program never ends: {error}; compile the model again") from error
