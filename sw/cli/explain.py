"""The command explain: which layers add a program's error, and what would help."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from ..errors import InputError
from .loading import load_original
from .options import Calibration, JsonFile, OriginalModel, ProgramFile, load_samples
from .output import progress_bar, report_done, show_table, warn, writable_folder, write_json, write_text
from .quality import digest

if TYPE_CHECKING:
    from ..graph import Graph
    from ..program import Program
    from ..quantize import QuantSettings
    from ..quantize.advice import Advice
    from ..quantize.attribution import Attribution

__all__ = ["explain"]

_SHOWN = 20
_MACS, _VALUES, _MOST, _FEWEST = 2 * 10**10, 4 * 10**7, 128, 4


def explain(
    program: ProgramFile,
    calib: Calibration,
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

        narrows explain model.nrw --model model.onnx --calib calib.npz -o formats.toml
    """
    from ..program import Program
    from ..quantize.attribution import attribute
    from ..quantize.quantise import prepared

    if output is not None:
        writable_folder(output)
    compiled = Program.load(program)
    x, _ = load_samples(calib)
    if model is None and output is not None:
        raise InputError("--output needs the float model: give --model")
    graph = None if model is None else _original(model, compiled, x)
    settings = _settings(compiled)
    ready = None if graph is None else prepared(graph, x, settings)
    if ready is not None:
        _check_layers(ready, compiled, model)
    with progress_bar("following the error") as progress:
        found = attribute(compiled.graph, x[: _count(compiled, len(x))], ready, progress)
    _show(program, compiled, found)
    advice: list[Advice] = []
    if graph is not None and ready is not None:
        advice = _advice(found, graph, ready, x, settings, compiled, quick=quick, output=output)
    report = asdict(found) | {"program": str(program), "model": None if model is None else str(model)}
    write_json(json, report | {"advice": [asdict(each) for each in advice]})


def _original(model: Path, program: Program, x: NDArray) -> Graph:
    """The float model as the program saw it."""
    from ..quantize.trained import forget_integers

    graph = load_original(model, program, x)
    known = program.record.get("calibration", {}).get("sha256")
    if known is not None and known != digest(x):
        warn("these are not the samples that the program was calibrated on: gains are of a model quantised on these")
    return forget_integers(graph) if program.record.get("requantised") else graph


def _settings(program: Program) -> QuantSettings:
    """What a program was quantised with, as far as its record says."""
    from ..quantize import LayerFormats, QuantSettings

    values: dict[str, Any] = dict(program.record.get("settings", {}))
    layers = {name: LayerFormats(**own) for name, own in values.pop("layers", {}).items()}
    return QuantSettings(**values, layers=layers)


def _check_layers(ready: Graph, program: Program, model: Path | None) -> None:
    wanted = [layer.name for layer in ready.layers]
    if wanted != [layer.name for layer in program.graph.layers]:
        raise InputError(f"{model} has other layers than the program: give the model that it was compiled from")


def _count(program: Program, given: int) -> int:
    """Samples that take neither too long nor too much memory."""
    graph = program.graph
    work = sum(
        int(segment.weights.size * np.prod(graph.tensors[layer.output].shape[1:]))
        for layer in graph.layers
        for segment in getattr(layer, "segments", ())
    )
    values = sum(int(np.prod(tensor.shape)) for tensor in graph.tensors.values())
    affordable = min(_MACS // max(1, work * len(graph.layers)), _VALUES // max(1, values), _MOST)
    return min(given, max(_FEWEST, affordable))


def _show(path: Path, program: Program, found: Attribution) -> None:
    formats = {layer.name: program.graph.tensors[layer.output].format for layer in program.graph.layers}
    formats["(input)"] = program.graph.tensors[program.graph.input.tensor].format
    show_table(
        f"{path}: {found.snr_db:.1f} dB of signal over noise on {found.samples} samples",
        ("layer", "adds", "by its weights", "by rounding", "writes"),
        [
            (
                error.layer,
                f"{error.share:.1%}",
                "" if error.weights is None else f"{error.weights:.1%}",
                f"{error.output:.1%}",
                formats[error.layer],
            )
            for error in found.layers[:_SHOWN]
        ],
    )
    if len(found.layers) > _SHOWN:
        report_done(f"and {len(found.layers) - _SHOWN} layers that add less")


def _advice(
    found: Attribution,
    graph: Graph,
    ready: Graph,
    x: NDArray,
    settings: QuantSettings,
    program: Program,
    *,
    quick: bool,
    output: Path | None,
) -> list[Advice]:
    """What would help, shown, and the formats written."""
    from ..quantize.advice import advise, eight_bits
    from ..quantize.settings_file import settings_text

    wider = eight_bits(found, ready, settings)
    if output is not None:
        if wider is None:
            raise InputError("the layers that add most have 8 bits already: there are no formats to write")
        write_text(output, settings_text(wider))
        report_done(f"{output}: 8 bits where most is added; narrows compile --formats {output}")
    if quick:
        return []
    if not program.record.get("settings"):
        report_done("the program does not say how it was quantised: compile it again to see what would help")
        return []
    trained = bool(program.record.get("trained"))
    with progress_bar("measuring what would help") as progress:
        advice = advise(found, graph, x, settings, program.config, trained=trained, progress=progress)
    for each in advice:
        gain = "not measured" if each.gain_db is None else f"{each.gain_db:+.1f} dB"
        helps = "would help" if each.gain_db is None or each.gain_db > 0 else "would not help"
        report_done(f"{helps}: {each.what} ({each.how}): {gain}")
    return advice
