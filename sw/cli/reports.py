"""Commands that show what a program does with its time and its memories: report, trace."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ..api.samples import load_samples
from ..errors import InputError
from ..results import writable_folder, write_json
from .options import BoardOption, JsonFile, Limit, OriginalModel, ProgramFile, ProgramName, opened, original
from .output import TERMINAL, report_done, show_table

__all__ = ["report", "trace"]

Latency = Annotated[
    int, typer.Option(min=1, metavar="CYCLES", help="Of the backing store, from an address to its first beat.")
]
Pace = Annotated[int, typer.Option(min=1, metavar="CYCLES", help="Of the backing store, from one beat to the next.")]


def report(
    context: typer.Context,
    program: ProgramFile,
    beside: Annotated[
        Path | None, typer.Argument(metavar="[OTHER.nrw]", help="Another program, to compare with.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PAGE.html", help="Where the page goes.", show_default="MODEL.html here"
        ),
    ] = None,
    name: ProgramName = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="X.npz",
            help="Samples `x`, perhaps labels `y`: right answers, error by layer, distributions of the tensors.",
        ),
    ] = None,
    model: OriginalModel = None,
    limit: Limit = None,
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
    """Write a page about a program: its network, what each layer costs and waits for, boards, roofline, memories.

    The page is one HTML file that needs nothing beside it. Nothing is simulated: the cycles are those of the cycle
    model, which is exact. Samples run on the golden model, whose integers are the core's.

    **Examples**

        narrows report model.nrw

        narrows report model.nrw --data test.npz --model model.onnx

        narrows report narrow.nrw wide.nrw --data test.npz
    """
    from ..api.quality import show_quality

    output = output or Path(f"{program.stem}.html")
    writable_folder(output)
    if data is None and model is not None:
        raise InputError("--model shows the float model on samples: give --data, too")
    compiled = opened(program, name=name)
    summary = compiled.report(
        output,
        None if data is None else load_samples(data, limit, compiled.graph.input.shape),
        model=original(model, compiled),
        beside=None if beside is None else opened(beside),
        board=board,
        mhz=mhz,
        latency=latency,
        pace=pace,
        command=shlex.join(["narrows", *(context.find_root().obj or ())]),
    )
    show_table(
        f"{program}: {summary['cycles']:,} cycles, {summary['utilisation']:.1%} useful",
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
    if quality := compiled.quality:
        show_quality(quality, f"{quality['data']}, when it was made", TERMINAL)
    if (samples := summary["samples"]) and samples["accuracy"] is not None:
        report_done(f"accuracy on {samples['count']} samples: {samples['accuracy']:.2%}")
    write_json(json, summary)
    report_done(f"page: {output}")


def trace(
    program: ProgramFile,
    name: ProgramName = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="TRACE.json", help="Where the trace goes.", show_default="MODEL.trace.json here"
        ),
    ] = None,
    latency: Latency = 64,
    pace: Pace = 1,
) -> None:
    """Write when loader, array, rescalers and storer work on which instruction, for Perfetto or chrome://tracing.

    One microsecond of the trace is one clock cycle. Open the file at https://ui.perfetto.dev or in chrome://tracing.

    **Example**

        narrows trace model.nrw
    """
    output = output or Path(f"{program.stem}.trace.json")
    writable_folder(output)
    instructions, cycles = opened(program, name=name).trace(output, latency=latency, pace=pace)
    report_done(f"{output}: {instructions} instructions in {cycles:,} cycles")
