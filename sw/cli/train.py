"""`narrows train`: a float model becomes a program whose integers were trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..api.model import Model
from ..api.samples import load_samples
from ..api.training import CALIBRATION
from ..errors import InputError
from ..extras import need_torch
from ..results import writable_folder, write_json
from .options import (
    AccBits,
    ActFormat,
    BoardOption,
    ConfigFile,
    InputShapes,
    JsonFile,
    LayerFormatsFile,
    Preset,
    Requantise,
    RescaleBits,
    WeightFormat,
    chosen_config,
    input_shapes,
)
from .output import TERMINAL, next_step, report_done

__all__ = ["train"]


def train(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Trained float model.")],
    data: Annotated[
        Path, typer.Option(metavar="X.npz", help="Training samples `x` and, for classifiers, labels `y` (integers).")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="M.nrw", help="Where the program goes.", show_default="MODEL.nrw here"),
    ] = None,
    val: Annotated[
        Path | None,
        typer.Option(
            metavar="X.npz",
            help="Samples to judge epochs by.",
            show_default="every twentieth of --data, held back",
        ),
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    board: BoardOption = None,
    input_shape: InputShapes = None,
    weights: WeightFormat = None,
    acts: ActFormat = None,
    formats: LayerFormatsFile = None,
    requantise: Requantise = False,
    acc_bits: AccBits = None,
    rescale_bits: RescaleBits = None,
    epochs: Annotated[int, typer.Option(min=1, metavar="N", help="Times that all samples are seen.")] = 10,
    batch: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Samples to a step.", show_default="16 to 128, by how many there are"),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="R",
            help="Largest step of a weight, in its levels. Lower it if the loss jumps.",
            show_default="0.001 to 0.01, larger for short runs",
        ),
    ] = None,
    accumulator: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="What keeps sums inside P bits: fitted (the exact certificate), a2q+ or a2q (norms), free (nothing).",
        ),
    ] = "fitted",
    shift: Annotated[bool, typer.Option(help="Learn the zero levels of activations, too.")] = True,
    distil: Annotated[
        float, typer.Option(min=0, max=1, metavar="A", help="Part of the loss that is the float model's opinion.")
    ] = 0.5,
    crop: Annotated[int, typer.Option(min=0, metavar="N", help="Shift images by up to N pixels, at random.")] = 0,
    mirror: Annotated[bool, typer.Option("--mirror", help="Mirror every second image left to right.")] = False,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of everything random.")] = 1,
    patience: Annotated[
        int, typer.Option(min=0, metavar="N", help="Stop after N epochs without a better one; 0: run them all.")
    ] = 0,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE.pt", help="Written after every epoch.", show_default="M.pt beside the program"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint, if there is one.")] = False,
    bfloat16: Annotated[
        bool, typer.Option("--bfloat16", help="Convolve in bfloat16: twice as fast on processors with AMX.")
    ] = False,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="Compile the rounding first: a minute, then several times as fast.")
    ] = False,
    json: JsonFile = None,
) -> None:
    """Fine-tune a float model with the integers that the core will compute with, and compile it.

    Starts from what `narrows compile` would make of the model. Every step then computes with the very integers of the
    program: weights and activations on their levels, gains as multiplicands of K bits, sums that fit P bits. Learned
    are weights, biases, all scales and the zero levels of activations. What training has seen is what the core gives,
    on every code.

    Labels are not needed: without them the network learns to answer as the float model does. With labels, --distil
    mixes both. Whatever the float model was trained with (random crops, mirrored images) should be on here as well.

    **Examples**

        narrows train model.onnx --data train.npz -o model.nrw --epochs 5

        narrows train model.onnx --data train.npz --crop 4 --mirror --acc-bits 14

        narrows train model.onnx --data train.npz --epochs 30 --resume

    What `narrows compile` would make is judged first, then every epoch, beside the float model. M.nrw is always the
    best so far: stop when it is good enough. --resume goes on after the last whole epoch, and ends with the same
    program as a run that was not stopped.

    Judge by samples that the float model was not trained on (--val): of those it was, every score is flattering.

    Accuracy below what you need? More epochs first, then a wider accumulator, then wider activations.
    """
    need_torch("training needs")
    output = output or Path(f"{model.stem}.nrw")
    writable_folder(output)
    core = chosen_config(preset, config, board, acc_bits=acc_bits, rescale_bits=rescale_bits)
    if formats is not None and (weights or acts):
        raise InputError("--formats says all formats: leave out --weights and --acts")
    samples = load_samples(data)
    held = None if val is None else load_samples(val)
    loaded = Model(model, input_shapes(input_shape), listener=TERMINAL)
    plan = loaded.quantize(
        samples[0][:CALIBRATION], weights=weights, acts=acts, formats=formats, requantise=requantise
    ).train(
        samples,
        val=held,
        epochs=epochs,
        batch=batch,
        rate=rate,
        seed=seed,
        accumulator=accumulator,
        learn_shift=shift,
        distillation=distil,
        crop=crop,
        mirror=mirror,
        patience=patience,
        precision="bfloat16" if bfloat16 else "float32",
        compiled=compiled,
        checkpoint=checkpoint or output.with_suffix(".pt"),
        resume=resume,
        keep=output,
    )
    program = plan.compile(core)
    report_done(f"{output}: the best epoch's program")
    next_step(f"narrows verify {output} --input SAMPLES.npz --limit 10")
    write_json(
        json,
        {
            "program": str(output),
            **{name: program.compiled.record[name] for name in ("import", "quality", "warnings")},
            **program.history,
            "config": core.to_dict(),
        },
    )
