"""Commands on models: compile, run, disasm."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from ..api.linked import Linked
from ..api.model import Model
from ..api.program import Program
from ..api.result import Result
from ..api.samples import frames_of, load_samples
from ..api.sizing import config_for_rate, estimated_target
from ..audio.detection import MEAN_OF, heard
from ..audio.features import frame_times
from ..audio.wav import is_wav
from ..engines import EngineName, Simulator
from ..errors import InputError
from ..names import archive_member
from ..results import writable_folder, write_arrays, write_json, write_text
from .options import (
    AccBits,
    ActFormat,
    BoardOption,
    Calibration,
    ConfigFile,
    EngineOption,
    HeldSamples,
    InputFile,
    InputShapes,
    JsonFile,
    LayerFormatsFile,
    Limit,
    ModelPreset,
    OriginalModel,
    OutputArrays,
    ProgramFile,
    ProgramName,
    Raw,
    Requantise,
    RescaleBits,
    SimulatorOption,
    States,
    WeightFormat,
    input_shapes,
    named_config,
    opened,
    original,
    state_pairs,
)
from .output import TERMINAL, next_step, report_done, show_table

__all__ = ["compile_model", "described_outputs", "disasm", "run_model", "run_report"]

_AGREEING = 0.99
"""Share of first answers that are the float model's below which a way out is named."""


def compile_model(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="ONNX (.onnx) or TFLite (.tflite) model.")],
    calib: Calibration,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="M.nrw", help="Where the program goes.", show_default="MODEL.nrw here"),
    ] = None,
    data: HeldSamples = None,
    preset: ModelPreset = None,
    config: ConfigFile = None,
    board: BoardOption = None,
    weights: WeightFormat = None,
    acts: ActFormat = None,
    formats: LayerFormatsFile = None,
    input_shape: InputShapes = None,
    state: States = None,
    equalise: Annotated[
        bool,
        typer.Option(
            "--equalise", help="Scale channels against the weights that read them, not only where some would vanish."
        ),
    ] = False,
    reconstruct: Annotated[
        bool,
        typer.Option(
            "--reconstruct",
            help="Learn weights block by block from the calibration samples, without labels; needs torch, and minutes.",
        ),
    ] = False,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="Of a model that comes quantised: follow its own rounding everywhere, if it takes two layers.",
        ),
    ] = False,
    requantise: Requantise = False,
    acc_bits: AccBits = None,
    rescale_bits: RescaleBits = None,
    within: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="8 bits in as few places as keep the share of samples with the float model's answer within so much.",
        ),
    ] = None,
    target_fps: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="N", help="Choose the smallest configuration that makes N samples a second."),
    ] = None,
    target: Annotated[
        str, typer.Option(metavar="NAME", help="For --target-fps: a device, as `narrows list targets` names it.")
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

        narrows compile model.onnx --calib calib.npz

        narrows compile model.onnx --calib calib.npz --board ulx3s

        narrows compile model.onnx --calib calib.npz --acc-bits 14 --weights int4

        narrows compile model.onnx --calib calib.npz --data held.npz --within 1.0

        narrows compile model.onnx --calib calib.npz --data held.npz --reconstruct

        narrows compile model.onnx --calib calib.npz --target-fps 500
    """
    output = output or Path(f"{model.stem}.nrw")
    writable_folder(output)
    if formats is not None and (weights or acts):
        raise InputError("--formats says all formats: leave out --weights and --acts")
    if target_fps is not None and (preset or config or board):
        raise InputError("--target-fps chooses the configuration: leave out --preset, --config and --board")
    if target_fps is not None and within is not None:
        raise InputError("--target-fps sizes a core for formats that --within would change: give one of the two")
    loaded = Model(model, input_shapes(input_shape), states=state_pairs(state), listener=TERMINAL)
    plan = loaded.quantize(
        calib,
        weights=weights,
        acts=acts,
        formats=formats,
        equalise=equalise,
        reconstruct=reconstruct,
        exact=exact,
        requantise=requantise,
        most=None,
    )
    held = plan.held(data)
    if target_fps is not None:
        device = estimated_target(target)
        machine = config_for_rate(plan.lowered, plan.formats, target_fps, device, mhz, TERMINAL)
    else:
        machine = named_config(preset, config, board)
    core = plan.core(machine, acc_bits=acc_bits, rescale_bits=rescale_bits)
    if within is not None:
        plan = plan.within(within, core, held)
    program = plan.compile_for(core, held, sized=machine is None)
    program.save(output)
    summary, settings = program.summary(), plan.formats(core)
    agreement = program.quality["outputs"][0]["agreement"]
    if within is None and agreement is not None and agreement < _AGREEING and not plan.lowered.grids:
        report_done(
            f"the formats gave up {100 * (1 - agreement):.1f} points of agreement: --within POINTS gives 8 bits back "
            "where they gain most"
        )
    _show(output, program, summary)
    write_json(
        json,
        {
            "program": str(output),
            "config": program.config.core.to_dict(),
            "weights": settings.weights,
            "acts": settings.acts,
            **{name: program.compiled.record[name] for name in ("import", "quality", "reconstruction", "warnings")},
            "beside_integers": dataclasses.asdict(plan.beside),
            "layer_formats": {name: vars(own) for name, own in settings.layers.items()},
            **summary,
        },
    )


def _show(output: Path, program: Program, summary: dict[str, Any]) -> None:
    core = program.config
    show_table(
        f"{output}: {program.graph.name}",
        ("", "used", "available"),
        [(name, values["used"], values["available"]) for name, values in summary["memories"].items()],
    )
    report_done(
        f"accumulator: {summary['cert_bits']} of {core.acc_bits} bits suffice for every input; "
        f"rescaler: {core.rescale_bits} bits"
    )
    next_step(f"narrows verify {output} --input SAMPLES.npz --limit 10")


def run_model(
    program: ProgramFile,
    samples: InputFile,
    engine: EngineOption = EngineName.ISA,
    name: ProgramName = None,
    simulator: SimulatorOption = Simulator.VERILATOR,
    limit: Limit = None,
    output: OutputArrays = None,
    raw: Raw = False,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream", help="Samples are frames of one recording, cut into frames if need be; show each one's outputs."
        ),
    ] = False,
    detect: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="P", help="Of a stream: say when the mean of some probabilities comes above P."
        ),
    ] = None,
    mean_of: Annotated[int, typer.Option(min=1, metavar="N", help="For --detect: of how many.")] = MEAN_OF,
    model: OriginalModel = None,
    json: JsonFile = None,
) -> None:
    """Run a program on samples; prints cycles, and with labels the accuracy.

    With --model the float model answers the same samples, and the program is held against it.

    Outputs have the model's names and shapes. Functions that it leaves to the host (Softmax, Sigmoid, ArgMax, ...) are
    computed here; --raw writes what the core gave them.

    A program with states (streaming models) takes its samples for the frames of one stream, in their order. Sound (a
    WAV file of one channel, 16 kHz, 16 bits) becomes the features that keyword models take, and is a stream.

    **Examples**

        narrows run model.nrw --input test.npz --engine golden

        narrows run model.nrw --input test.npz --engine rtl --limit 20 -o y.npz

        narrows run wakeword.nrw --input recording.npz --stream

        narrows run okay_nabu.nrw --input x.wav --detect 0.85

        narrows run both.nrw --program kws --input test.npz
    """
    from ..api.quality import quality_beside, recorded_accuracy, show_quality, sound_labels

    if output is not None:
        writable_folder(output)
    compiled = opened(program, name=name)
    shape, sound = compiled.graph.input.shape, is_wav(samples)
    stream = stream or sound
    if detect is not None and not stream:
        raise InputError("--detect is for streams: give a WAV file or --stream")
    x, y = load_samples(samples, None if stream else limit, shape)
    if stream:
        x, y = frames_of(x, shape)[:limit], None
    labels = sound_labels(compiled.graph.outputs, y, TERMINAL)
    known = compiled.quality if labels is not None and model is None else {}
    said = recorded_accuracy(known) if known else ""
    beside = quality_beside(compiled, original(model, compiled), x, labels)
    result = compiled.run(x, engine, raw=raw, simulator=simulator)
    if output is not None:
        write_arrays(output, result)
    report = run_report(result, labels)
    if stream:
        times = frame_times(len(x), shape[0]) if sound else None
        _show_frames(result, times)
        if detect is not None:
            report["detections"] = _detections(result, times, detect, mean_of)
    if result.run.wall_seconds:
        report["sim_cycles_per_second"] = result.run.sim_cycles / result.run.wall_seconds
    show_table(
        f"{program} on {samples}",
        ("", result.engine),
        [(name.replace("_", " "), _shown(value)) for name, value in report.items()],
    )
    report |= {"engine": result.engine, "outputs": described_outputs(result)}
    if beside is not None:
        report["quality"] = beside(result.run.outputs)
        show_quality(report["quality"], f"samples of {samples.name}", TERMINAL)
    elif said:
        report["recorded_quality"] = known
        report_done(said)
    write_json(json, report)


def _frame(number: int, times: NDArray[np.float64] | None) -> str:
    """What a frame is called: of sound when its last sample has come."""
    return f"frame {number}" if times is None else f"{times[number]:.2f} s"


def _detections(result: Result, times: NDArray[np.float64] | None, cutoff: float, mean_of: int) -> list[Any]:
    """Frames at which the mean of probabilities comes above the cutoff, or their times; shows them."""
    above = heard(next(iter(result.values())), cutoff, mean_of)
    found = np.flatnonzero(above & ~np.concatenate([[False], above[:-1]]))
    for frame in found.tolist():
        report_done(f"{_frame(frame, times)}: heard")
    return found.tolist() if times is None else times[found].round(3).tolist()


def _show_frames(result: Result, times: NDArray[np.float64] | None) -> None:
    """Each frame's outputs, a line each; of many values the largest and its place."""
    for frame in range(result.samples):
        parts = []
        for name, values in result.items():
            flat = values[frame].ravel()
            large = f"{_shown(flat[0])}" if flat.size == 1 else f"[{flat.argmax()}] {_shown(flat.max())}"
            parts.append(f"{name} {large}")
        typer.echo(f"{_frame(frame, times)}: {', '.join(parts)}")


def run_report(result: Result, labels: NDArray[Any] | None) -> dict[str, Any]:
    """Figures of a run: samples, values that were clamped, accuracy, cycles."""
    report: dict[str, Any] = {"samples": result.samples}
    if result.clamped:
        report["input_values_clamped"] = result.clamped
    if labels is not None:
        report["accuracy"] = result.accuracy(labels)
    if result.cycles is not None:
        report["cycles_per_sample"] = result.cycles
    return report


def described_outputs(result: Result) -> list[dict[str, Any]]:
    """Outputs by name, with the members of the archive that holds them."""
    return [
        {"name": name, "member": archive_member(name), "shape": values.shape[1:]} for name, values in result.items()
    ]


def disasm(
    program: ProgramFile,
    name: ProgramName = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Instead of standard output.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Show a program: memory use, tensors, and every instruction with its blocks and taps; of several programs all.

    **Example**

        narrows disasm model.nrw
    """
    linked = Linked.load(program, listener=TERMINAL)
    compiled = linked if name is None and len(linked) > 1 else linked[name or next(iter(linked))]
    text = compiled.disassemble()
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)
    write_json(json, {"program": str(program), "listing": text, **compiled.summary()})


def _shown(value: Any) -> str:
    return (
        f"{value:,.4g}"
        if isinstance(value, float) and value < 10
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )
