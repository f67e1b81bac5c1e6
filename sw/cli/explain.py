"""The command explain: which layers add a program's error, and what would help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..api.samples import load_samples
from ..errors import InputError
from ..results import writable_folder, write_json, write_text
from .options import Calibration, JsonFile, OriginalModel, ProgramFile, ProgramName, opened, original
from .output import report_done, show_table

__all__ = ["explain"]

_SHOWN = 20


def explain(
    program: ProgramFile,
    calib: Calibration,
    name: ProgramName = None,
    model: OriginalModel = None,
    quick: Annotated[bool, typer.Option("--quick", help="Do not quantise again to measure what would help.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FORMATS.toml", help="Write formats with 8 bits in the layers that add most."
        ),
    ] = None,
    json: JsonFile = None,
) -> None:
    """Rank layers by the error that each adds, and say what would help.

    Layers before one compute in integers, as the program does, those behind it in floating point. What the noise of the
    outputs grows by when the layer itself goes over to integers is what it adds: by its weights, and by rounding what
    it writes. All shares add up to the program's noise; one below 0 makes up for earlier errors.

    With --model the float model says what the outputs should be, and the model is quantised again with what may help:
    8 bits where most is added, --equalise, fewer samples. Without it the program's own weights are taken for right.

    **Examples**

        narrows explain model.nrw --model model.onnx --calib calib.npz

        narrows explain model.nrw --model model.onnx --calib calib.npz -o f.toml
    """
    from ..api.explaining import HEADER
    from ..quantize.settings_file import settings_text

    if output is not None:
        writable_folder(output)
        if model is None:
            raise InputError("--output needs the float model: give --model")
    compiled = opened(program, name=name)
    found = compiled.explain(
        load_samples(calib, None, compiled.graph.input.shape)[0], model=original(model, compiled), quick=quick
    )
    title = f"{program}: {found.found.snr_db:.1f} dB of signal over noise on {found.found.samples} samples"
    show_table(title, HEADER, found.rows[:_SHOWN])
    if len(found.rows) > _SHOWN:
        report_done(f"and {len(found.rows) - _SHOWN} layers that add less")
    if output is not None:
        if found.wider is None:
            raise InputError("the layers that add most have 8 bits already: there are no formats to write")
        write_text(output, settings_text(found.wider))
        report_done(f"{output}: 8 bits where most is added; narrows compile --formats {output}")
    for line in (*([found.note] if found.note else ()), *found.helps):
        report_done(line)
    write_json(json, found.to_dict() | {"program": str(program), "model": None if model is None else str(model)})
