"""Commands on models: compile, run, disasm."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from ...hw.spec.config import AcceleratorConfig
from ..engines import EngineName, Simulator
from ..errors import InputError
from ..names import archive_member
from .loading import load_judged, load_original
from .machine import check_size, config_for_rate, model_config
from .options import (
    BoardOption,
    Calibration,
    ConfigFile,
    EngineOption,
    HeldSamples,
    InputFile,
    InputShapes,
    JsonFile,
    Limit,
    ModelPreset,
    OriginalModel,
    OutputArrays,
    ProgramFile,
    Raw,
    Requantise,
    SimulatorOption,
    input_shapes,
    load_samples,
)
from .output import progress_bar, report_done, show_table, writable_folder, write_arrays, write_json, write_text
from .quality import compared, recorded, recorded_accuracy, show_quality, sound_labels, warn_of_input

__all__ = ["compile_model", "disasm", "run_model"]


def compile_model(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="ONNX (.onnx) or TFLite (.tflite) model.")],
    calib: Calibration,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="M.nrw", help="Where the program goes.")],
    data: HeldSamples = None,
    preset: ModelPreset = None,
    config: ConfigFile = None,
    board: BoardOption = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="Of weights: dybit2 to dybit8, int2 to int8, e2m1, ...",
            show_default="the core's base",
        ),
    ] = None,
    acts: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="Of tensors between layers: as above, or udybit4, uint4, ...",
            show_default="the core's base",
        ),
    ] = None,
    formats: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Formats layer by layer, as `narrows search` writes them."),
    ] = None,
    input_shape: InputShapes = None,
    equalise: Annotated[
        bool,
        typer.Option(
            "--equalise", help="Scale channels against the weights that read them, not only where some would vanish."
        ),
    ] = False,
    requantise: Requantise = False,
    acc_bits: Annotated[
        int | None, typer.Option(metavar="P", help="Accumulator width instead of the configuration's.")
    ] = None,
    rescale_bits: Annotated[
        int | None, typer.Option(metavar="K", help="Multiplicand width instead of the configuration's.")
    ] = None,
    target_fps: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="N", help="Choose the smallest configuration that makes N samples a second."),
    ] = None,
    target: Annotated[
        str, typer.Option(metavar="DEVICE", help="For --target-fps: ecp5-25k, ecp5-45k or ecp5-85k.")
    ] = "ecp5-85k",
    mhz: Annotated[float, typer.Option(min=0.001, metavar="F", help="For --target-fps: the clock.")] = 50.0,
    json: JsonFile = None,
) -> None:
    """Quantise a model and compile it to a program for one configuration of the core.

    A float model gets the formats of --weights and --acts. Models that come quantised (QONNX, ONNX with QuantizeLinear,
    int8 TFLite) keep their own integers; what has none in them gets 8 bits, and is named. --requantise makes float
    models of them first.

    What comes out is held against the float model: share of samples with the same first answer, signal-to-noise ratio,
    largest error, and with labels the accuracy of both; on --data, or on the calibration samples. `narrows explain`
    says where the error comes from.

    Without --board, --preset and --config the core is sized for the model, and it is said how.

    Every layer's sums are certified to fit the accumulator, for every input; a model whose sums do not fit is refused.

    **Examples**

        narrows compile model.onnx --calib calib.npz -o model.nrw

        narrows compile model.onnx --calib calib.npz --board ulx3s -o model.nrw

        narrows compile model.onnx --calib calib.npz --preset small --acc-bits 14 --weights int4 -o model.nrw

        narrows compile model.onnx --calib calib.npz --target-fps 500 --target ecp5-45k -o model.nrw
    """
    from ..compile import compile_graph
    from ..graph import Mac
    from ..passes import lower
    from ..quantize import QuantSettings, quantise
    from ..quantize.calibration import checked_samples
    from ..quantize.halves import in_halves
    from ..quantize.settings_file import load_settings
    from ..quantize.trained import beside_integers, forget_integers

    writable_folder(output)
    if formats is not None and (weights or acts):
        raise InputError("--formats says all formats: leave out --weights and --acts")
    if target_fps is not None and (preset or config or board):
        raise InputError("--target-fps chooses the configuration: leave out --preset, --config and --board")
    chosen = None if formats is None else load_settings(formats)
    samples, y = load_samples(calib)
    held, held_y = (samples, y) if data is None else load_samples(data)
    loaded, verdict = load_judged(model, samples, shapes=input_shapes(input_shape))
    loaded = forget_integers(loaded) if requantise else loaded
    samples, lowered = checked_samples(loaded, samples), in_halves(lower(loaded))
    held, labels = checked_samples(loaded, held), sound_labels(loaded.outputs, held_y)
    if chosen is not None:
        macs = [layer for layer in lowered.layers if isinstance(layer, Mac)]
        chosen.check_layers(macs)
        chosen = chosen.for_layers(macs)

    def settings_for(core: AcceleratorConfig) -> QuantSettings:
        found = chosen or QuantSettings(weights=weights or core.base, acts=acts or core.base)
        return dataclasses.replace(found, equalise=found.equalise or equalise)

    widths = {"acc_bits": acc_bits, "rescale_bits": rescale_bits}
    if target_fps is None:
        machine = model_config(lowered, settings_for, preset, config, board, **widths)
    else:
        machine = config_for_rate(lowered, settings_for, target_fps, target, mhz)
        machine = dataclasses.replace(machine, **{name: value for name, value in widths.items() if value is not None})
    settings = settings_for(machine)
    check_size(lowered, machine, settings, samples)
    beside = beside_integers(lowered)
    if beside.note:
        report_done(f"note: {beside.note}")
    if lowered.grids and (weights or acts):
        report_done("note: the model keeps its own integers: for --weights and --acts say --requantise, too")
    with progress_bar("quantising") as progress:
        graph = quantise(loaded, samples, settings, machine, lambda _name, done, total: progress(done, total))
    program = compile_graph(graph, machine)
    program = recorded(
        program,
        loaded,
        held,
        labels,
        samples="calibration samples" if data is None else f"samples of {data.name}",
        verdict=verdict,
        settings=settings,
        calibration=samples,
        requantised=requantise,
    )
    program.save(output)
    summary = _summary(program)
    show_table(
        f"{output}: {graph.name}",
        ("", "used", "available"),
        [(name, values["used"], values["available"]) for name, values in summary["memories"].items()],
    )
    report_done(
        f"accumulator: {summary['cert_bits']} of {machine.acc_bits} bits suffice for every input; "
        f"rescaler: {machine.rescale_bits} bits"
    )
    write_json(
        json,
        {
            "program": str(output),
            "config": machine.to_dict(),
            "weights": settings.weights,
            "acts": settings.acts,
            **{name: program.record[name] for name in ("import", "quality", "warnings")},
            "beside_integers": dataclasses.asdict(beside),
            "layer_formats": {name: vars(own) for name, own in settings.layers.items()},
            **summary,
        },
    )


def run_model(
    program: ProgramFile,
    samples: InputFile,
    engine: EngineOption = EngineName.ISA,
    simulator: SimulatorOption = Simulator.VERILATOR,
    limit: Limit = None,
    output: OutputArrays = None,
    raw: Raw = False,
    model: OriginalModel = None,
    json: JsonFile = None,
) -> None:
    """Run a program on samples; prints cycles, and with labels the accuracy.

    With --model the float model answers the same samples, and the program is held against it.

    Outputs have the model's names and shapes. Functions that it leaves to the host (Softmax, Sigmoid, ArgMax, ...) are
    computed here; --raw writes what the core gave them.

    **Examples**

        narrows run model.nrw --input test.npz --engine golden

        narrows run model.nrw --input test.npz --engine rtl --limit 20 -o scores.npz
    """
    from ..engines import find_engine
    from ..program import Program
    from ..runtime import accuracy, clamped_share, prepare_input, restore_outputs

    if output is not None:
        writable_folder(output)
    compiled = Program.load(program)
    x, y = load_samples(samples, limit)
    labels = sound_labels(compiled.graph.outputs, y)
    recorded_quality = compiled.record.get("quality") if labels is not None and model is None else None
    said = recorded_accuracy(recorded_quality) if recorded_quality else ""
    levels = prepare_input(compiled.graph, x)
    warn_of_input(compiled, levels, x)
    float_graph = None if model is None else load_original(model, compiled, x)
    with progress_bar(f"running ({engine})") as progress:
        result = find_engine(engine, simulator=simulator).run(compiled, levels, progress=progress)
    outputs = restore_outputs(compiled.graph, result.outputs, raw=raw)
    if output is not None:
        write_arrays(output, outputs)
    report: dict[str, Any] = {
        "engine": engine.value,
        "samples": len(levels),
    }
    if clamped := clamped_share(compiled.graph, x):
        report["input_values_clamped"] = clamped
    if labels is not None:
        report["accuracy"] = accuracy(compiled.graph, result.outputs, labels)
    if len(result.cycles):
        report["cycles_per_sample"] = float(result.cycles.mean())
    if result.wall_seconds:
        report["sim_cycles_per_second"] = result.sim_cycles / result.wall_seconds
    show_table(
        f"{program} on {samples}",
        ("", engine.value),
        [(name.replace("_", " "), _shown(value)) for name, value in report.items() if name != "engine"],
    )
    report["outputs"] = [
        {"name": name, "member": archive_member(name), "shape": values.shape[1:]} for name, values in outputs.items()
    ]
    if float_graph is not None:
        report["quality"] = compared(float_graph, compiled.graph, x, result.outputs, labels)
        show_quality(report["quality"], f"samples of {samples.name}")
    elif said:
        report["recorded_quality"] = compiled.record["quality"]
        report_done(said)
    write_json(json, report)


def disasm(
    program: ProgramFile,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Instead of standard output.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Show a program: memory use, tensors, and every instruction with its blocks and taps.

    **Example**

        narrows disasm model.nrw
    """
    from ..compile.disasm import disassemble
    from ..program import Program

    compiled = Program.load(program)
    text = disassemble(compiled)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)
    write_json(json, {"program": str(program), "listing": text, **_summary(compiled)})


def _summary(program: Any) -> dict[str, Any]:
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


def _shown(value: Any) -> str:
    return (
        f"{value:,.4g}"
        if isinstance(value, float) and value < 10
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )
