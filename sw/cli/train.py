"""`narrows train`: a float model becomes a program whose integers were trained."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from ..errors import InputError, ToolMissing
from .loading import load_judged
from .options import (
    BoardOption,
    ConfigFile,
    InputShapes,
    JsonFile,
    Preset,
    Requantise,
    chosen_config,
    input_shapes,
    load_samples,
)
from .output import progress_bar, report_done, warn, writable_folder, write_json
from .quality import recorded, sound_labels

if TYPE_CHECKING:
    from ..quantize.train import Samples, Trainer

__all__ = ["train"]

_HELD = 0.05
_TOO_GOOD = 0.995
_ADVICE = (
    "judged by every twentieth sample of --data: if the float model was trained on them, the score flatters it; give "
    "others with --val"
)
_CALIBRATION = 128


def train(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Trained float model.")],
    data: Annotated[
        Path, typer.Option(metavar="X.npz", help="Training samples `x` and, for classifiers, labels `y` (integers).")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="M.nrw", help="Where the program goes.")],
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
    weights: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="As for `narrows compile`.", show_default="the core's base")
    ] = None,
    acts: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="As for `narrows compile`.", show_default="the core's base")
    ] = None,
    formats: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Formats layer by layer, as `narrows search` writes them."),
    ] = None,
    requantise: Requantise = False,
    acc_bits: Annotated[
        int | None, typer.Option(metavar="P", help="Accumulator width instead of the configuration's.")
    ] = None,
    rescale_bits: Annotated[
        int | None, typer.Option(metavar="K", help="Multiplicand width instead of the configuration's.")
    ] = None,
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

        narrows train model.onnx --data train.npz --crop 4 --mirror --acc-bits 14 --rescale-bits 4 -o model.nrw

        narrows train model.onnx --data train.npz --epochs 30 --patience 4 -o model.nrw --resume

    What `narrows compile` would make is judged first, then every epoch, beside the float model. M.nrw is always the
    best so far: stop when it is good enough. --resume goes on after the last whole epoch, and ends with the same
    program as a run that was not stopped.

    Judge by samples that the float model was not trained on (--val): of those it was, every score is flattering.

    Accuracy below what you need? More epochs first, then a wider accumulator, then wider activations.
    """
    if importlib.util.find_spec("torch") is None:
        raise ToolMissing(
            "training needs torch: pip install 'narrows[train]' (without a GPU, add --extra-index-url "
            "https://download.pytorch.org/whl/cpu for a download of a tenth of the size)"
        )
    from ..compile import compile_graph
    from ..quantize import QuantSettings
    from ..quantize.settings_file import load_settings
    from ..quantize.train import Samples, Trainer, TrainSettings, float_score, network_of, suited, to_quantised
    from ..quantize.trained import forget_integers

    writable_folder(output)
    place = checkpoint or output.with_suffix(".pt")
    writable_folder(place)
    machine = chosen_config(preset, config, board, acc_bits=acc_bits, rescale_bits=rescale_bits)
    if formats is not None and (weights or acts):
        raise InputError("--formats says all formats: leave out --weights and --acts")
    quantisation = (
        load_settings(formats)
        if formats is not None
        else QuantSettings(weights=weights or machine.base, acts=acts or machine.base)
    )
    (x, y), (held_x, held_y) = _split(*load_samples(data)) if val is None else (load_samples(data), load_samples(val))
    usual_batch, usual_rate = suited(len(x), epochs)
    rate = usual_rate if rate is None else rate
    settings = TrainSettings(
        epochs=epochs,
        batch=batch or usual_batch,
        seed=seed,
        rate=rate,
        scale_rate=rate / 40,
        accumulator=accumulator,
        learn_shift=shift,
        distillation=distil,
        crop=crop,
        mirror=mirror,
        patience=patience,
        precision="bfloat16" if bfloat16 else "float32",
        compiled=compiled,
    )
    graph, verdict = load_judged(model, x[:_CALIBRATION], shapes=input_shapes(input_shape))
    graph = forget_integers(graph) if requantise else graph
    held_labels = sound_labels(graph.outputs, held_y)
    with progress_bar("quantising") as progress:
        network = network_of(
            graph, x[:_CALIBRATION], quantisation, machine, settings, lambda _, done, total: progress(done, total)
        )
    label = {"model": graph.name, "formats": repr(quantisation), "config": machine.digest}
    trainer = Trainer(network, Samples(network.start, x, y), label=label)
    if resume and place.exists():
        trainer.load(place)
    held = Samples(network.start, held_x, held_y)
    goal = None if held_y is None else float_score(network, held)
    if val is None:
        warn(_ADVICE if goal is None or goal < _TOO_GOOD else f"{_ADVICE} (it labels {_shown(goal)} of them)")

    def keep() -> None:
        compile_graph(to_quantised(trainer.result()), machine).save(output)

    _run(trainer, held, goal, place, keep)
    program = recorded(
        compile_graph(to_quantised(trainer.result()), machine),
        graph,
        held_x,
        held_labels,
        samples="samples that it was not trained on",
        verdict=verdict,
        settings=quantisation,
        calibration=x[:_CALIBRATION],
        trained=True,
    )
    program.save(output)
    report_done(f"{output}: judged {_beside(trainer.best, goal)} on {len(held_x)} samples it was not trained on")
    write_json(
        json,
        {
            "program": str(output),
            **{name: program.record[name] for name in ("import", "quality", "warnings")},
            "epochs": trainer.history,
            "best": trainer.best,
            "float": goal,
            "config": machine.to_dict(),
        },
    )


def _split(x: NDArray, y: NDArray | None) -> tuple[tuple[NDArray, NDArray | None], tuple[NDArray, NDArray | None]]:
    """Most samples to train on, and one in twenty to judge by."""
    held = np.zeros(len(x), dtype=bool)
    held[:: max(2, round(1 / _HELD))] = True
    return (x[~held], None if y is None else y[~held]), (x[held], None if y is None else y[held])


def _run(trainer: Trainer, held: Samples, goal: float | None, place: Path, keep: Callable[[], None]) -> None:
    """All epochs, each judged and saved; ``keep`` writes the program whenever one is the best so far."""
    if not trainer.history:
        _judged(trainer, held, goal, {"epoch": 0}, "before training", keep)
    while not trainer.done:
        start, number = time.monotonic(), trainer.epoch + 1
        with progress_bar(f"epoch {number} of {trainer.settings.epochs}") as progress:
            loss = trainer.train_epoch(progress)
        entry = {"epoch": number, "loss": loss, "seconds": time.monotonic() - start}
        _judged(trainer, held, goal, entry, f"epoch {number}: loss {loss:.4f}", keep)
        trainer.save(place)


def _judged(
    trainer: Trainer,
    held: Samples,
    goal: float | None,
    entry: dict[str, float],
    title: str,
    keep: Callable[[], None],
) -> None:
    judged = trainer.judge(held)
    trainer.history.append({**entry, "judged": judged})
    if trainer.since_best == 0:
        keep()
    seconds = f", {entry['seconds']:.0f} s" if "seconds" in entry else ""
    best = ", the best so far" if trainer.since_best == 0 and len(trainer.history) > 1 else ""
    report_done(f"{title}, judged {_beside(judged, goal)}{seconds}{best}")


def _beside(score: float, goal: float | None) -> str:
    """A score beside the float model's."""
    return _shown(score) if goal is None else f"{_shown(score)} (float {_shown(goal)}, {100 * (score - goal):+.2f})"


def _shown(score: float) -> str:
    """A share of labels as a percentage; without labels, 0 less the distance from the float model."""
    return f"{100 * score:.2f} %" if score > 0 else f"{score:.4f}"
