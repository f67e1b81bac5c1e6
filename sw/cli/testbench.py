"""The command testbench: the proof of a core without Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..api.samples import load_samples
from ..results import write_json
from .options import JsonFile, ProgramFile, ProgramName, opened
from .output import next_step, report_done

__all__ = ["bench"]


def bench(
    program: ProgramFile,
    name: ProgramName = None,
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="Where it goes.")] = Path("build/testbench"),
    samples: Annotated[
        Path | None,
        typer.Option("--input", metavar="X.npz", help="Samples x.", show_default="two random ones"),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Only the first N samples.")] = 2,
    json: JsonFile = None,
) -> None:
    """Write the core with a plain Verilog bench that proves it without Python, for Icarus and Verilator.

    The bench plays what the driver does: it fills the memories, writes each sample, starts, and compares every word
    that it reads (outputs, checksums, status, counters) with the expected one. Right outputs are the integer model's.
    The core has the bare port, whatever the program's own has. A description for FuseSoC lies beside it.

    **Examples**

        narrows testbench model.nrw --folder proof

        narrows testbench model.nrw --input test.npz --limit 5
    """
    compiled = opened(program, name=name)
    x = None if samples is None else load_samples(samples, limit, compiled.graph.input.shape)[0]
    made = compiled.testbench(folder, x)
    report_done(f"{folder}: {', '.join(path.name for path in made.files)}")
    report_done(f"{made.samples} samples, {made.words} words compared")
    next_step(f"make -C {folder} icarus, or verilator")
    write_json(json, {"files": [str(path) for path in made.files], "samples": made.samples, "compared": made.words})
