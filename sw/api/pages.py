"""Pages and figures of a program: report, trace, summary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..extras import need
from ..results import writable_folder, write_json, write_text

if TYPE_CHECKING:
    from ...hw.spec.transfer_cycles import BusTiming
    from ..program import Program
    from ..report.timeline import Timeline

__all__ = ["summary_of", "write_report", "write_trace"]

_MHZ = 100.0


def write_report(
    program: Program,
    path: Path,
    *,
    board: str | os.PathLike[str] | None,
    mhz: float | None,
    bus: tuple[int, int],
) -> dict[str, Any]:
    """Write the page, and give what it shows; arguments are those of the API's `Program.report`."""
    writable_folder(path)
    need("matplotlib", "reports", "generator")
    from ...boards.catalogue import find_board
    from ..report import charts, figures
    from ..report.network import network_picture
    from ..report.page import report_page
    from ..report.summary import summarise
    from ..report.work import layer_work

    clock = mhz or (_MHZ if board is None else find_board(board).clock_mhz)
    run, timing = _run(program, bus)
    layers = layer_work(program, run)
    summary = summarise(program, run, layers, bus=timing, mhz=clock)
    shares = {layer.name: f"{layer.cycles / run.cycles:.1%} of the cycles" for layer in layers}
    drawn = {
        "network": network_picture(program.graph, shares),
        "cycles": figures.cycles_by_layer(layers),
        "roofline": charts.roofline(layers, program.config, timing),
        "memory": charts.memory_map(program, run),
        "certificates": figures.certificates(layers, program.config.acc_bits),
    }
    write_text(path, report_page(summary, drawn))
    return summary


def write_trace(program: Program, path: Path, *, bus: tuple[int, int]) -> tuple[int, int]:
    """Write the trace; gives instructions and cycles of the run."""
    from ..report.trace import chrome_trace

    run, _ = _run(program, bus)
    write_json(path, chrome_trace(program, run))
    return len(run.steps), run.cycles


def summary_of(program: Program) -> dict[str, Any]:
    """Layers, the widest certificate, and memories used and available."""
    from ..quantised import MacLayer
    from ..report.summary import memory_use

    layers = [layer for layer in program.graph.layers if isinstance(layer, MacLayer)]
    return {
        "layers": [layer.name for layer in program.graph.layers],
        "cert_bits": max((layer.cert_bits for layer in layers), default=0),
        "memories": {
            name: {"used": used, "available": available} for name, (used, available) in memory_use(program).items()
        },
    }


def _run(program: Program, bus: tuple[int, int]) -> tuple[Timeline, BusTiming]:
    from ...hw.spec.schedule import DeadlockError
    from ...hw.spec.transfer_cycles import BusTiming
    from ..errors import ProgramError
    from ..report.timeline import timeline

    timing = BusTiming(latency=bus[0], pace=bus[1])
    try:
        return timeline(program, timing), timing
    except DeadlockError as error:
        raise ProgramError(f"the program never ends: {error}; compile the model again") from error
