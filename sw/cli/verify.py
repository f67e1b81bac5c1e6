"""The command verify: do all engines agree to the bit?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..api.samples import load_samples
from ..engines import EngineName, Simulator
from ..results import write_json
from ..tasks import open_workers
from .options import (
    BoardOption,
    Cluster,
    InputFile,
    Jobs,
    JsonFile,
    Limit,
    OriginalModel,
    ProgramFile,
    ProgramName,
    SimulatorOption,
    opened,
    original,
)
from .output import TERMINAL, next_step, report_done, show_table

__all__ = ["verify"]

_SHOWN = 10


def verify(
    program: ProgramFile,
    samples: InputFile,
    name: ProgramName = None,
    limit: Limit = None,
    board: BoardOption = None,
    engine: Annotated[
        list[EngineName] | None,
        typer.Option("--engine", help="Only these engines (repeat the option); all of them without it."),
    ] = None,
    simulator: SimulatorOption = Simulator.VERILATOR,
    model: OriginalModel = None,
    waves: Annotated[
        Path, typer.Option("--waves", metavar="FOLDER", help="Where the waveform of a first difference goes.")
    ] = Path("build/verify"),
    cluster: Cluster = None,
    jobs: Jobs = 1,
    json: JsonFile = None,
) -> None:
    """Compare the engines layer by layer, element by element; exit status 1 if anything differs.

    The reference is the golden model, integer arithmetic on whole layers. The instruction-set model and the simulated
    Verilog run the program; after each layer its tensor is read back from their memory and compared. A difference is
    followed to its first layer, tile, element and cycle; where the Verilog is at fault, a waveform cropped around the
    wrong write is left in a folder, with views of it for GTKWave and Surfer.

    With --model the chain begins at the model's file: its import is held against another runtime, and the integers
    against the float model.

    **Example**

        narrows verify model.nrw --input test.npz --limit 10 --json verdict.json

        narrows verify model.nrw --input test.npz --model model.onnx
    """
    from ..api.quality import quality_beside, show_quality, sound_labels

    compiled = opened(program, board, name)
    x, y = load_samples(samples, limit, compiled.graph.input.shape)
    labels = sound_labels(compiled.graph.outputs, y, TERMINAL)
    beside = quality_beside(compiled, original(model, compiled), x, labels)
    with open_workers(cluster, jobs) as workers:
        agreement = compiled.verify(x, engine or list(EngineName), simulator=simulator, waves=waves, workers=workers)
    report = agreement.to_dict()
    show_table(
        f"{program}: {report['images']} samples, {len(report['layers'])} layers",
        ("engine", "tensors that differ", "cycles per sample"),
        agreement.rows,
    )
    mismatches = agreement.comparison.mismatches
    for mismatch in mismatches[:_SHOWN]:
        report_done(f"differs: {mismatch}")
    if len(mismatches) > _SHOWN:
        report_done(f"... and {len(mismatches) - _SHOWN} more")
    if agreement.first is not None:
        report_done(f"first: {agreement.first}")
        for path in agreement.first.files:
            report_done(f"waveform: {path}")
    if beside is not None:
        report["quality"] = beside(agreement.comparison.runs[EngineName.GOLDEN].outputs)
        show_quality(report["quality"], f"samples of {samples.name}", TERMINAL)
    write_json(json, report)
    if not agreement:
        raise typer.Exit(1)
    report_done("all engines agree to the bit")
    next_step(f"narrows verilog --program {program}")
