"""The command verify: do all engines agree to the bit?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..engines import EngineName, Simulator
from .loading import load_original
from .options import (
    BoardOption,
    InputFile,
    JsonFile,
    Limit,
    OriginalModel,
    ProgramFile,
    SimulatorOption,
    load_samples,
    program_on,
)
from .output import progress_bar, report_done, show_table, write_json
from .quality import compared, show_quality, sound_labels, warn_of_input

__all__ = ["verify"]

_SHOWN = 10


def verify(
    program: ProgramFile,
    samples: InputFile,
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
    from ..program import Program
    from ..runtime import prepare_input
    from ..verify import compare_engines
    from ..verify.bisect import bisect

    compiled = program_on(Program.load(program), board)
    x, y = load_samples(samples, limit)
    labels = sound_labels(compiled.graph.outputs, y)
    levels = prepare_input(compiled.graph, x)
    warn_of_input(compiled, levels, x)
    float_graph = None if model is None else load_original(model, compiled, x)
    comparison = compare_engines(compiled, levels, engine or list(EngineName), bar=progress_bar, simulator=simulator)
    report = comparison.to_dict(compiled)
    count = {name: sum(mismatch.engine == name for mismatch in comparison.mismatches) for name in report["engines"]}
    show_table(
        f"{program}: {report['images']} samples, {len(report['layers'])} layers",
        ("engine", "tensors that differ", "cycles per sample"),
        [
            (
                name,
                count[name] if name != EngineName.GOLDEN else "reference",
                f"{run.cycles.mean():,.0f}" if len(run.cycles) else "",
            )
            for name, run in comparison.runs.items()
        ],
    )
    for mismatch in comparison.mismatches[:_SHOWN]:
        report_done(f"differs: {mismatch}")
    if len(comparison.mismatches) > _SHOWN:
        report_done(f"... and {len(comparison.mismatches) - _SHOWN} more")
    if comparison.mismatches:
        with progress_bar("looking for the first difference"):
            culprit = bisect(compiled, comparison, levels, folder=waves, simulator=simulator)
        if culprit is not None:
            report_done(f"first: {culprit}")
            for path in culprit.files:
                report_done(f"waveform: {path}")
            report["first"] = culprit.to_dict()
    if float_graph is not None:
        report["quality"] = compared(float_graph, compiled.graph, x, comparison.runs[EngineName.GOLDEN].outputs, labels)
        show_quality(report["quality"], f"samples of {samples.name}")
    write_json(json, report)
    if comparison.mismatches:
        raise typer.Exit(1)
    report_done("all engines agree to the bit")
