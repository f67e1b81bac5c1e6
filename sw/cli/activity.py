"""The command that counts how often a core's signals change: activity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..api.samples import load_samples
from ..results import writable_folder, write_json
from .options import InputFile, JsonFile, ProgramFile, ProgramName, opened
from .output import report_done, show_table

__all__ = ["activity"]


def activity(
    program: ProgramFile,
    input_file: InputFile,
    name: ProgramName = None,
    limit: Annotated[int, typer.Option("--limit", min=2, metavar="N", help="Only the first N samples.")] = 3,
    depth: Annotated[int, typer.Option("--depth", min=0, metavar="N", help="Levels of modules to show.")] = 1,
    saif: Annotated[
        Path | None,
        typer.Option("--saif", metavar="FILE.saif", help="Keep the switching activity, for vendors' power tools."),
    ] = None,
    json: JsonFile = None,
) -> None:
    """Count how often the signals of the core's modules change while it runs samples: where dynamic power goes.

    The core's own Verilog is simulated, which counts every bit of every signal (SAIF); contents of memories are not
    among them. What loading the program and the first sample take is left out. There is no power in watts here: that
    depends on the chip, and on capacities that only its maker's tools know.

    **Example**

        narrows activity model.nrw --input test.npz --saif model.saif
    """
    from ..api.activity import activity_rows

    compiled = opened(program, name=name)
    for path in (saif, json):
        if path is not None:
            writable_folder(path)
    found = compiled.activity(load_samples(input_file, None, compiled.graph.input.shape)[0], limit=limit, saif=saif)
    rows = activity_rows(found, depth)
    show_table(
        f"{program}: {found.samples} samples, {found.cycles:,} cycles",
        ("module, all that is in it", "bits", "changes a cycle", "changes of a bit a cycle", "share"),
        [
            (
                str(row["module"]),
                f"{row['bits']:,}",
                f"{row['toggles_per_cycle']:,.1f}",
                f"{row['activity']:.4f}",
                f"{row['share']:.1%}",
            )
            for row in rows
        ],
    )
    write_json(json, {"samples": found.samples, "cycles": found.cycles, "modules": rows})
    if saif is not None:
        report_done(f"{saif}: switching activity of the whole simulation")
