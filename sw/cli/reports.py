"""Commands that show what a program does with its time and its memories: report, trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import BoardOption, JsonFile, ProgramFile, program_on
from .output import report_done, show_table, writable_folder, write_json, write_text
from .quality import show_quality

if TYPE_CHECKING:
    from ...hw.spec.transfer_cycles import BusTiming
    from ..program import Program
    from ..report.timeline import Timeline

__all__ = ["report", "trace"]

Latency = Annotated[
    int, typer.Option(min=1, metavar="CYCLES", help="Of the backing store, from an address to its first beat.")
]
Pace = Annotated[int, typer.Option(min=1, metavar="CYCLES", help="Of the backing store, from one beat to the next.")]


def report(
    program: ProgramFile,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PAGE.html", help="Where the page goes.")],
    board: BoardOption = None,
    mhz: Annotated[
        float | None,
        typer.Option(
            min=0.001, metavar="F", help="Clock, for samples a second.", show_default="that of --board, or 100"
        ),
    ] = None,
    latency: Latency = 64,
    pace: Pace = 1,
    json: JsonFile = None,
) -> None:
    """Write a page about a program: its network, what each layer costs and waits for, roofline, memories over time.

    The page is one HTML file that needs nothing beside it. Nothing is simulated: the cycles are those of the cycle
    model, which is exact.

    **Example**

        narrows report model.nrw -o report.html
    """
    from ..program import Program
    from ..report import charts, figures
    from ..report.network import network_picture
    from ..report.page import report_page
    from ..report.summary import summarise
    from ..report.work import layer_work

    writable_folder(output)
    compiled = program_on(Program.load(program), board)
    clock = mhz or _clock(board)
    run, bus = _run(compiled, latency, pace)
    layers = layer_work(compiled, run)
    summary = summarise(compiled, run, layers, bus=bus, mhz=clock)
    shares = {layer.name: f"{layer.cycles / run.cycles:.1%} of the cycles" for layer in layers}
    drawn = {
        "network": network_picture(compiled.graph, shares),
        "cycles": figures.cycles_by_layer(layers),
        "roofline": charts.roofline(layers, compiled.config, bus),
        "memory": charts.memory_map(compiled, run),
        "certificates": figures.certificates(layers, compiled.config.acc_bits),
    }
    write_text(output, report_page(summary, drawn))
    show_table(
        f"{program}: {run.cycles:,} cycles, {summary['utilisation']:.1%} useful",
        ("layer", "MACs", "cycles", "useful", "fed", "waits for"),
        [
            (
                row["name"],
                f"{row['macs']:,}",
                f"{row['cycles']:,}",
                f"{row['useful']:.1%}",
                f"{row['fed']:.1%}",
                ", ".join(
                    f"{cause} {stall:,}" for cause, stall in zip(summary["causes"], row["stalls"], strict=True) if stall
                ),
            )
            for row in [*summary["layers"], summary["total"]]
        ],
    )
    if quality := compiled.record.get("quality"):
        show_quality(quality, f"{quality['data']}, when it was made")
    write_json(json, summary)
    report_done(f"page: {output}")


def trace(
    program: ProgramFile,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="TRACE.json", help="Where the trace goes.")],
    latency: Latency = 64,
    pace: Pace = 1,
) -> None:
    """Write when loader, array, rescalers and storer work on which instruction, for Perfetto or chrome://tracing.

    One microsecond of the trace is one clock cycle. Open the file at https://ui.perfetto.dev or in chrome://tracing.

    **Example**

        narrows trace model.nrw -o trace.json
    """
    from ..program import Program
    from ..report.trace import chrome_trace

    writable_folder(output)
    compiled = Program.load(program)
    run, _ = _run(compiled, latency, pace)
    write_json(output, chrome_trace(compiled, run))
    report_done(f"{output}: {len(run.steps)} instructions in {run.cycles:,} cycles")


def _clock(board: str | None) -> float:
    from ...boards.catalogue import find_board

    return 100.0 if board is None else find_board(board).clock_mhz


def _run(program: Program, latency: int, pace: int) -> tuple[Timeline, BusTiming]:
    from ...hw.spec.schedule import DeadlockError
    from ...hw.spec.transfer_cycles import BusTiming
    from ..errors import ProgramError
    from ..report.timeline import timeline

    bus = BusTiming(latency=latency, pace=pace)
    try:
        return timeline(program, bus), bus
    except DeadlockError as error:
        raise ProgramError(f"the program never ends: {error}; compile the model again") from error
