"""The command search: formats of every layer and widths of the core, against accuracy, cycles and look-up tables."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from ..errors import CapacityError, InputError
from .loading import load_judged
from .options import (
    BoardOption,
    Calibration,
    ConfigFile,
    InputShapes,
    Preset,
    Requantise,
    chosen_config,
    input_shapes,
    load_samples,
)
from .output import progress_bar, report_done, show_table, write_json, write_text
from .quality import recorded, sound_labels

if TYPE_CHECKING:
    from ...hw.spec.config import AcceleratorConfig
    from ..program import Program
    from ..quantised import QuantisedGraph
    from ..search.explore import Samples
    from ..search.measure import Measured, Measurer

__all__ = ["search"]


def search(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="ONNX (.onnx) or TFLite (.tflite) model, float.")],
    calib: Calibration,
    data: Annotated[Path, typer.Option(metavar="X.npz", help="Samples `x`, perhaps labels `y`, to measure points on.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the results go.")],
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
        str | None, typer.Option(metavar="A,B", help="Base formats of the core; else the configuration's.")
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
) -> None:
    """Search formats layer by layer, and widths of the core: accuracy against cycles and look-up tables.

    Every point is quantised and measured by the integer model; cycles come from the cycle model, look-up tables from
    synthesised arrays. The best points are measured again on all final samples. Speed-ups compare arrays of equally
    many look-up tables with plain 8-bit integers.

    Leaves in the folder: front.html, front.json, and of the chosen point formats.toml, config.toml and model.nrw.

    **Examples**

        narrows search model.onnx --calib calib.npz --data val.npz --test test.npz -o found

        narrows search model.onnx --calib calib.npz --data val.npz --speed-up 3 --trials 0 -o found

        narrows search model.onnx --calib calib.npz --data val.npz --storage study.journal --trials 500 -o found
    """
    from ..quantize.trained import forget_integers
    from ..report.page import search_page
    from ..search.explore import explore
    from ..search.front import Bound
    from ..search.measure import Measurer
    from ..search.picture import front_picture
    from ..search.space import Space
    from ..search.study import Study, open_storage
    from ..search.summary import search_summary

    nothing = max_loss is None and speed_up is None and max_error is None
    loss = 1.0 if nothing else max_loss
    bound = Bound(loss=None if loss is None else loss / 100, speedup=speed_up, error=max_error)
    output.mkdir(parents=True, exist_ok=True)
    machine = chosen_config(preset, config, board)
    calibration, _ = load_samples(calib)
    graph, verdict = load_judged(model, calibration, shapes=input_shapes(input_shape))
    graph = forget_integers(graph) if requantise else graph
    measurer = Measurer(graph, machine, calibration, _golden, equalise=equalise)
    samples, final = _samples(measurer, data, images), _samples(measurer, test or data, None)
    final_labels = sound_labels(graph.outputs, load_samples(test or data)[1])
    space = Space.of(
        measurer.lowered,
        weights=_names(weights),
        acts=_names(acts),
        acc_bits=_numbers(acc_bits, machine.acc_bits),
        rescale_bits=_numbers(rescale_bits, machine.rescale_bits),
        bases=_names(bases or machine.base),
        shapes=_shapes(shapes, machine),
    )
    kept = Study(
        study,
        storage=open_storage(storage),
        sampler=sampler,
        seed=seed,
        space=space,
        measurer=measurer,
        x=samples.x,
        labels=samples.labels,
    )
    with progress_bar("searching") as progress:
        outcome = explore(
            space,
            measurer,
            kept,
            samples=samples,
            final=final,
            bound=bound,
            trials=trials,
            progress=lambda what, done, total: progress(done, total, what),
        )
    unit = measurer.costs.integer_unit
    summary = search_summary(graph.name, outcome, images=len(samples.x), final_images=len(final.x), integer_unit=unit)
    write_json(output / "front.json", summary | {"import": verdict})
    write_text(output / "front.html", search_page(summary, {"front": front_picture(outcome)}))
    _show(summary)
    if outcome.chosen is None:
        raise CapacityError(f"no point keeps to the bound, see {output / 'front.html'}: loosen it, or raise --trials")
    program = recorded(
        _program(outcome.chosen, measurer),
        graph,
        final.x,
        final_labels,
        samples=f"samples of {(test or data).name}",
        verdict=verdict,
        settings=measurer.settings(outcome.chosen.point),
        calibration=calibration,
    )
    write_json(output / "front.json", summary | program.record)
    _write_choice(outcome.chosen, measurer, program, output)


def _show(summary: dict[str, Any]) -> None:
    rows = [("front", one) for one in summary["front"]] + [("uniform", one) for one in summary["uniform"]]
    show_table(
        f"{summary['model']}: {summary['searched']} points; float {summary['float_accuracy']:.2%}",
        (
            "weights / activations by layer",
            "",
            "base",
            "shape",
            "P",
            "k",
            "accuracy",
            "cycles",
            "array LUT4",
            "speed-up",
        ),
        [
            (
                one["short"],
                kind,
                one["base"],
                one["shape"],
                one["acc_bits"],
                one["rescale_bits"],
                f"{one['accuracy']:.2%}",
                f"{one['cycles']:,}",
                f"{one['array_luts']:,}",
                f"{one['speedup']:.2f}",
            )
            for kind, one in rows
        ],
    )


def _program(chosen: Measured, measurer: Measurer) -> Program:
    """Program of a point; memories are the configuration's if they hold it."""
    from ..compile import compile_graph
    from ..report.propose import memory_sizes
    from ..search.space import ROOM

    point, graph = chosen.point, measurer.quantised(chosen.point)
    roomy = point.config(measurer.config)
    memories = {name: getattr(measurer.config, name) for name in ROOM}
    try:
        return compile_graph(graph, dataclasses.replace(roomy, **memories))
    except CapacityError:
        sizes = memory_sizes(compile_graph(graph, roomy))
        return compile_graph(graph, dataclasses.replace(roomy, **sizes))


def _write_choice(chosen: Measured, measurer: Measurer, program: Program, output: Path) -> None:
    """Formats, configuration and program of a point."""
    from ..quantize.settings_file import settings_text

    values = program.config.to_dict()
    write_text(output / "config.toml", "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    write_text(output / "formats.toml", settings_text(measurer.settings(chosen.point)))
    program.save(output / "model.nrw")
    report_done(
        f"chosen: {chosen.worth.accuracy:.2%}, {chosen.cost.cycles:,} cycles, {chosen.cost.speedup:.2f} times as fast "
        f"as 8-bit integers in as many look-up tables; {output / 'model.nrw'} runs it"
    )


def _golden(quantised: QuantisedGraph, config: AcceleratorConfig, x: NDArray) -> NDArray:
    from ...sim.golden import GoldenModel
    from ..runtime import prepare_input, restore_outputs

    tensors = GoldenModel(quantised, config).run(prepare_input(quantised, x))
    return restore_outputs(quantised, tensors, raw=True)[quantised.outputs[0].name]


def _samples(measurer: Measurer, path: Path, limit: int | None) -> Samples:
    """Samples with labels; without labels of their own, the float model's answers."""
    from ..search.explore import Samples

    x, labels = load_samples(path, limit)
    answers = measurer.float_scores(x).argmax(axis=1) if labels is None else np.asarray(labels).ravel()
    return Samples(x=x, labels=answers)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _numbers(text: str | None, default: int) -> tuple[int, ...]:
    if text is None:
        return (default,)
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise InputError(f"widths must be numbers divided by commas, not {text!r}") from None


def _shapes(text: str | None, machine: AcceleratorConfig) -> tuple[tuple[int, int, int], ...]:
    if text is None:
        return ((machine.rows, machine.columns, machine.lanes),)
    found = []
    for part in text.split(","):
        numbers = part.split("x")
        if len(numbers) != 3 or not all(number.strip().isdigit() for number in numbers):
            raise InputError(f"a shape must be rows x columns x lanes such as 4x4x16, not {part!r}")
        found.append((int(numbers[0]), int(numbers[1]), int(numbers[2])))
    return tuple(found)
