"""The command search: formats of every layer and widths of the core, against accuracy, cycles and look-up tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..api.model import Model
from ..api.searching import HEADER
from ..errors import CapacityError, InputError
from ..results import write_json, write_text
from ..tasks import open_workers
from .options import (
    BoardOption,
    Calibration,
    Cluster,
    ConfigFile,
    InputShapes,
    Jobs,
    Preset,
    Requantise,
    chosen_config,
    input_shapes,
)
from .output import TERMINAL, next_step, report_done, show_table

__all__ = ["search"]


def search(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="ONNX (.onnx) or TFLite (.tflite) model, float.")],
    calib: Calibration,
    data: Annotated[Path, typer.Option(metavar="X.npz", help="Samples `x`, perhaps labels `y`, to measure points on.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Where the results go.", show_default="MODEL-search here"
        ),
    ] = None,
    test: Annotated[
        Path | None, typer.Option(metavar="X.npz", help="Samples for the final figures; else all of --data.")
    ] = None,
    images: Annotated[
        int, typer.Option(min=1, metavar="N", help="Samples of --data that each point is measured on.")
    ] = 300,
    preset: Preset = None,
    config: ConfigFile = None,
    board: BoardOption = None,
    input_shape: InputShapes = None,
    weights: Annotated[
        str, typer.Option(metavar="A,B", help="Formats of weights to choose among.")
    ] = "dybit4,int6,int8",
    acts: Annotated[str, typer.Option(metavar="A,B", help="Formats of tensors to choose among.")] = "dybit4,int6,int8",
    acc_bits: Annotated[
        str | None, typer.Option(metavar="P,P", help="Accumulator widths; else the configuration's.")
    ] = None,
    rescale_bits: Annotated[
        str | None, typer.Option(metavar="K,K", help="Multiplicand widths; else the configuration's.")
    ] = None,
    bases: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Base formats of the core, dybit3xdybit4 for different ones; else the configuration's."
        ),
    ] = None,
    shapes: Annotated[
        str | None, typer.Option(metavar="4x4x16,..", help="Rows x columns x lanes; else the configuration's.")
    ] = None,
    requantise: Requantise = False,
    equalise: Annotated[
        bool, typer.Option("--equalise", help="Equalise channels first, as `narrows compile` does.")
    ] = False,
    max_loss: Annotated[
        float | None,
        typer.Option(metavar="POINTS", help="Choose the fastest within so many points of float (default: 1)."),
    ] = None,
    speed_up: Annotated[
        float | None,
        typer.Option(metavar="S", help="Instead: the most accurate so many times as fast as 8-bit integers."),
    ] = None,
    max_error: Annotated[
        float | None,
        typer.Option(metavar="R", help="Instead: the fastest with at most this error ratio of the output."),
    ] = None,
    trials: Annotated[
        int, typer.Option(min=0, metavar="N", help="Points to measure in all; 0: the greedy strategies alone.")
    ] = 100,
    sampler: Annotated[str, typer.Option(metavar="NAME", help="nsga2 or tpe.")] = "nsga2",
    seed: Annotated[int, typer.Option(metavar="N", help="Of the sampler.")] = 0,
    storage: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help="Study that goes on where it stopped and that machines can share."),
    ] = None,
    study: Annotated[str, typer.Option(metavar="NAME", help="Name of the study in its storage.")] = "narrows",
    batch: Annotated[
        int, typer.Option(min=1, metavar="N", help="Points proposed at once; what is found depends on it.")
    ] = 24,
    train: Annotated[
        Path | None,
        typer.Option(metavar="X.npz", help="Samples to train points on that could beat the chosen one; else none is."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, metavar="N", help="Epochs that each of them is trained.")] = 2,
    train_points: Annotated[int, typer.Option(min=1, metavar="K", help="How many points are trained.")] = 4,
    crop: Annotated[
        int, typer.Option(min=0, metavar="N", help="Shift training images by up to N pixels, at random.")
    ] = 0,
    mirror: Annotated[bool, typer.Option("--mirror", help="Mirror every second training image left to right.")] = False,
    cluster: Cluster = None,
    jobs: Jobs = 1,
) -> None:
    """Search formats layer by layer, and widths of the core: accuracy against cycles and look-up tables.

    Every point is quantised and measured by the integer model; cycles come from the cycle model, look-up tables from
    synthesised arrays. The best points are measured again on all final samples. Speed-ups compare arrays of equally
    many look-up tables with plain 8-bit integers.

    With --train, points that could beat the chosen one are then trained for some epochs inside their formats: of a
    bound on accuracy those that are faster, the nearest first.

    Points are measured a batch at a time, by --jobs processes or by the workers of a --cluster; the same seed and batch
    find the same, whoever measures.

    Leaves in the folder: front.html, front.json, and of the chosen point formats.toml, config.toml and model.nrw; in
    trained/ the programs of trained points, which are not trained again.

    **Examples**

        narrows search model.onnx --calib calib.npz --data val.npz

        narrows search model.onnx --calib calib.npz --data val.npz --speed-up 3

        narrows search model.onnx --calib c.npz --data val.npz --storage s.journal

        narrows search m.onnx --calib c.npz --data v.npz --train t.npz --epochs 3

        narrows search m.onnx --calib c.npz --data v.npz --cluster tcp://host:8786
    """
    output = output or Path(f"{model.stem}-search")
    output.mkdir(parents=True, exist_ok=True)
    core = chosen_config(preset, config, board).core
    loaded = Model(model, input_shapes(input_shape), listener=TERMINAL)
    plan = loaded.quantize(calib, equalise=equalise, requantise=requantise)
    with open_workers(cluster, jobs) as workers:
        found = plan.search(
            data,
            config=core,
            test=test,
            images=images,
            weights=_names(weights),
            acts=_names(acts),
            acc_bits=_numbers(acc_bits),
            rescale_bits=_numbers(rescale_bits),
            bases=_names(bases),
            shapes=_shapes(shapes),
            max_loss=max_loss,
            speed_up=speed_up,
            max_error=max_error,
            trials=trials,
            sampler=sampler,
            seed=seed,
            storage=storage,
            study=study,
            batch=batch,
            train=train,
            epochs=epochs,
            trained_points=train_points,
            trained=output / "trained",
            crop=crop,
            mirror=mirror,
            workers=workers,
        )
    found.save(output)
    title = f"{found.summary['model']}: {found.summary['searched']} points; "
    show_table(title + f"float {found.summary['float_accuracy']:.2%}", HEADER, found.rows)
    if found.outcome.chosen is None:
        raise CapacityError(f"no point keeps to the bound, see {output / 'front.html'}: loosen it, or raise --trials")
    program = found.compile()
    write_json(output / "front.json", found.summary | program.compiled.record)
    program.config.save(output / "config.toml")
    write_text(output / "formats.toml", found.formats_text())
    place, chosen = program.save(output / "model.nrw"), found.chosen()
    trained = f" after {chosen.epochs} epochs of training" if chosen.epochs else ""
    report_done(
        f"chosen: {chosen.worth.accuracy:.2%}{trained}, {chosen.cost.cycles:,} cycles, {chosen.cost.speedup:.2f} times "
        f"as fast as 8-bit integers in as many look-up tables; {place} runs it"
    )
    next_step(f"narrows verify {place} --input SAMPLES.npz --limit 10")


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def _numbers(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(part) for part in (text or "").split(",") if text}))
    except ValueError:
        raise InputError(f"widths must be numbers divided by commas, not {text!r}") from None


def _shapes(text: str | None) -> tuple[tuple[int, int, int], ...]:
    found = []
    for part in (text or "").split(",") if text else ():
        numbers = part.split("x")
        if len(numbers) != 3 or not all(number.strip().isdigit() for number in numbers):
            raise InputError(f"a shape must be rows x columns x lanes such as 4x4x16, not {part!r}")
        found.append((int(numbers[0]), int(numbers[1]), int(numbers[2])))
    return tuple(found)
