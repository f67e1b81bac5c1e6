"""Speed at equal look-up tables: ResNet-8 in formats searched layer by layer, against uniform ones and 8-bit integers.

    python bench/quantisation/search.py --base dybit4 --json search_dybit4.json --figure search_dybit4.svg
    python bench/quantisation/search.py --base int4 --json search_int4.json
    python bench/quantisation/search.py --base e2m1,dybit3xe2m1,dybit2xe2m1 --formats dybit2,dybit3,e2m1 --epochs 2

With ``--epochs`` the points that could beat the chosen one are trained on training images that nothing is compared on.
Points are compared on training images that calibration did not see, and the best are measured on the test images, by
the golden model on integer codes. Cycles are the cycle model's, look-up tables the cost table's
(`bench/array_costs.py`). A speed-up compares arrays of equally many look-up tables with plain 8-bit integer multipliers
that are busy in every cycle. Studies are kept (--storage): a second run goes on, and several may share one. Model and
data are looked for in $NARROWS_DATA as `bench/quantisation/post_training.py` does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from narrows.hw.spec.config import AcceleratorConfig, bases_of
from narrows.sim.golden import GoldenModel
from narrows.sw.frontend import load_model
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.quantize.train import TrainSettings
from narrows.sw.results import write_json, write_text
from narrows.sw.runtime import prepare_input, restore_outputs
from narrows.sw.search.explore import Samples, explore
from narrows.sw.search.finetune import FineTuning
from narrows.sw.search.front import Bound
from narrows.sw.search.measure import Measurer
from narrows.sw.search.picture import front_picture
from narrows.sw.search.space import Space
from narrows.sw.search.study import Study, open_storage
from narrows.sw.search.summary import search_summary
from narrows.sw.search.trials import Trials
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

_STORAGE = Path(__file__).resolve().parents[2] / "build" / "bench"
_CALIBRATION = 128
_RATE = 4e-3
_FORMATS = {"dybit4": "dybit4,int6,int8", "int4": "int4,int6,int8"}


def main(
    base: Annotated[str, typer.Option(help="Base formats of the core: dybit4, int4, dybit3xdybit4, ...")] = "dybit4",
    images: Annotated[int, typer.Option(help="Training images that points are compared on.", min=1, max=19000)] = 250,
    test_images: Annotated[int, typer.Option(help="Test images of the final figures.", min=1, max=5000)] = 5000,
    trials: Annotated[int, typer.Option(help="Points to measure; 0: the greedy strategy alone.", min=0)] = 100,
    acc_bits: Annotated[str, typer.Option(help="Accumulator widths.")] = "16,20",
    formats: Annotated[str, typer.Option(help="Of weights and activations; empty: the base's own, int6, int8.")] = "",
    max_loss: Annotated[float, typer.Option(help="Points below float that the chosen one may have.")] = 1.0,
    sampler: Annotated[str, typer.Option(help="nsga2 or tpe.")] = "nsga2",
    seed: Annotated[int, typer.Option(help="Of the sampler.")] = 0,
    epochs: Annotated[int, typer.Option(help="Epochs that points are trained; 0: none is.", min=0)] = 0,
    points: Annotated[int, typer.Option(help="Points that are trained.", min=1)] = 4,
    storage: Annotated[Path, typer.Option(help="Folder of the studies.")] = _STORAGE,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Write a figure (SVG).")] = None,
) -> None:
    """Search and print the fronts."""
    folder = Path(os.environ.get("NARROWS_DATA", "."))
    train = np.load(folder / "data" / "cifar10_train_first20000.npz")
    test = np.load(folder / "data" / "cifar10_test_first5000.npz")
    graph = load_model(folder / "models" / "resnet8_float.onnx")
    calibration = train["x"][:_CALIBRATION].astype(np.float32)
    bases = tuple(base.split(","))
    measurer = Measurer(graph, AcceleratorConfig(**bases_of(bases[0])), calibration, _golden)
    names = tuple((formats or _FORMATS[base]).split(","))
    space = Space.of(
        measurer.lowered,
        weights=names,
        acts=names if len(bases) == 1 else (bases[0],),
        acc_bits=tuple(int(bits) for bits in acc_bits.split(",")),
        rescale_bits=(4,),
        bases=bases,
        shapes=((4, 4, 16),),
    )
    samples, final = _samples(train, slice(1000, 1000 + images)), _samples(test, slice(test_images))
    storage.mkdir(parents=True, exist_ok=True)
    study = Study(
        f"resnet8 {base} {sampler} {seed}",
        storage=open_storage(str(storage / "search.journal")),
        sampler=sampler,
        seed=seed,
        space=space,
        measurer=measurer,
        x=samples.x,
        labels=samples.labels,
    )
    errors = Console(stderr=True)
    outcome = explore(
        space,
        measurer,
        study,
        samples=samples,
        final=final,
        bound=Bound(loss=max_loss / 100),
        trials=trials,
        progress=lambda stage, done, total: errors.print(f"{stage} {done}/{total}", highlight=False),
        tuning=_tuning(measurer, samples, train, 1000 + images, epochs, points, storage) if epochs else None,
    )
    unit = measurer.costs.integer_unit
    summary = search_summary("resnet8", outcome, images=images, final_images=test_images, integer_unit=unit)
    uniform8 = space.uniform("int8", "int8", **next(space.cores()))  # on the first base's core
    same_machine = measurer.cost(uniform8).cycles
    _show(summary, same_machine)
    if json_file:
        rows = _rows(summary, same_machine, test_images, seed)
        write_json(json_file, rows)
    if figure:
        write_text(figure, front_picture(outcome))


def _tuning(
    measurer: Measurer, samples: Samples, train: Any, first: int, epochs: int, points: int, storage: Path
) -> FineTuning:
    """Training on all images from ``first`` on, judged by those that points are compared on."""
    part = _samples(train, slice(first, None))
    return FineTuning(
        measurer=measurer,
        x=part.x,
        y=part.labels,
        judged=Trials(measurer=measurer, x=samples.x, labels=samples.labels, scores=measurer.float_scores(samples.x)),
        settings=TrainSettings(epochs=epochs, rate=_RATE, scale_rate=_RATE / 40, crop=4, mirror=True, distillation=1.0),
        most=points,
        folder=storage / "trained",
    )


def _golden(quantised: QuantisedGraph, config: AcceleratorConfig, x: NDArray) -> NDArray:
    tensors = GoldenModel(quantised, config).run(prepare_input(quantised, x))
    return restore_outputs(quantised, tensors, raw=True)[quantised.outputs[0].name]


def _samples(data: Any, part: slice) -> Samples:
    return Samples(x=data["x"][part].astype(np.float32), labels=data["y"][part].ravel())


def _rows(summary: dict[str, Any], same_machine: int, images: int, seed: int) -> list[dict[str, Any]]:
    rows = [
        {
            "model": "resnet8",
            "method": "float",
            "weights": "float",
            "acts": "float",
            "acc_bits": 0,
            "rescale_bits": 0,
            "accuracy": summary["float_accuracy"],
            "images": images,
            "seed": None,
        }
    ]
    for method in ("uniform", "front", "chosen"):
        found = summary[method] if method != "chosen" else filter(None, [summary["chosen"]])
        for one in found:
            kinds = {
                kind: [own[kind] for own in one["formats"].values() if kind in own] for kind in ("weights", "acts")
            }
            rows.append(
                {
                    "model": "resnet8",
                    "method": "search" if method == "front" else method,
                    **{kind: " ".join(names) for kind, names in kinds.items()},
                    **{name: one[name] for name in ("acc_bits", "rescale_bits", "accuracy")},
                    "images": images,
                    "seed": None if method == "uniform" else seed,
                    **{
                        name: one[name]
                        for name in ("base", "shape", "cycles", "array_luts", "luts", "speedup", "epochs")
                    },
                    "same_machine_speedup": same_machine / one["cycles"],
                }
            )
    return rows


def _show(summary: dict[str, Any], same_machine: int) -> None:
    table = Table(
        title=f"ResNet-8, float {summary['float_accuracy']:.2%}; 8-bit integers: {summary['integer_unit']} LUT4 a unit"
    )
    for name in ("weights/activations", "", "P", "accuracy", "cycles", "array LUT4", "speed-up", "int8 here"):
        table.add_column(name, justify="left" if name in ("weights/activations", "") else "right")
    for kind in ("uniform", "front", "chosen"):
        for one in summary[kind] if kind != "chosen" else filter(None, [summary[kind]]):
            table.add_row(
                one["short"],
                f"{kind}, trained" if one["epochs"] else kind,
                str(one["acc_bits"]),
                f"{one['accuracy']:.2%}",
                f"{one['cycles']:,}",
                f"{one['array_luts']:,}",
                f"{one['speedup']:.2f}",
                f"{same_machine / one['cycles']:.2f}",
            )
    Console(width=None if Console().is_terminal else 200).print(table)


if __name__ == "__main__":
    typer.run(main)
