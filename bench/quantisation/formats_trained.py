"""Which format to take: ResNet-8 trained in each, with the same network, budget, recipe and seeds.

    python bench/quantisation/formats_trained.py --json build/formats_trained.json
    python bench/quantisation/formats_trained.py --json build/formats_trained.json --only dybit4:dybit4 --seeds 1,2,3
    python bench/quantisation/formats_trained.py --json rows.json --only e2m1:e2m1 --programs bench/quantisation/zoo

Every format has the core that suits it: its activations are the base of the multipliers. Accuracy is the golden
model's on integer codes; look-up tables a unit are Yosys' for the array in that base (2x2x16, ECP5, as in
`bench/mac.py`), cycles those of the program on 4 x 4 x 16 units. Each row is written when it is there and each epoch
leaves a checkpoint (``--work``, where the programs go, too), so the same command goes on where it was stopped; rows of
another budget or recipe are not taken for the same. Formats in one table have the same seeds, or none is compared: the
table says how many.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from narrows.sw.compile import compile_graph
from narrows.sw.costs.timeline import timeline
from narrows.sw.errors import InputError
from narrows.sw.files import write_whole
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.train import Samples, Trainer, TrainSettings, network_of, to_quantised
from rich.console import Console
from rich.table import Table
from short_runs import Setup, accuracy, configuration, float_accuracy
from train_narrow import recipe as recipe_of  # in the zoo, which short_runs has made known

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from hardware.cases import Case  # beside this folder, not installed
from hardware.flow import Flow
from hardware.measure import Design, measure

__all__ = ["FORMATS", "Row", "same_run", "summary"]

FORMATS = (
    ("dybit4", "dybit4"),
    ("int4", "int4"),
    ("e2m1", "e2m1"),
    ("dybit3", "dybit4"),
    ("int3", "int4"),
    ("dybit2", "dybit4"),
    ("dybit3", "dybit3"),
    ("int3", "int3"),
)
"""Of weights and of activations."""

_zoo = Path(__file__).with_name("zoo")
_console = Console(highlight=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One trained network. ``recipe`` are the fields of `TrainSettings` that differ from their defaults,
    ``train_images`` how many an epoch has, ``edge_weights`` the format of the first and the last layer's weights where
    it is another, ``input_bits`` those of the image."""

    model: str = "resnet8"
    weights: str
    acts: str
    acc_bits: int
    rescale_bits: int
    seed: int
    accuracy: float
    float_accuracy: float
    lut_per_unit: float
    cycles: int
    train_images: int
    test_images: int
    recipe: dict[str, Any]
    edge_weights: str = ""
    input_bits: int = 8


def same_run(row: Row, other: dict[str, Any]) -> bool:
    """Whether a written row is of the same run as one that is wanted, whatever came of it."""
    measured = ("accuracy", "float_accuracy", "lut_per_unit", "cycles")
    other = {"edge_weights": "", "input_bits": 8} | other
    return all(other.get(name) == value for name, value in dataclasses.asdict(row).items() if name not in measured)


def main(
    json_file: Annotated[Path, typer.Option("--json", help="Rows; those that are there are kept.")],
    model: Annotated[Path, typer.Option(help="Float model.")] = _zoo / "resnet8_float.onnx",
    data: Annotated[Path | None, typer.Option(help="npz instead of fetched images.")] = None,
    images: Annotated[int, typer.Option(help="Training images, the first ones.")] = 6400,
    test_images: Annotated[int, typer.Option(help="Test images, the first ones.")] = 5000,
    epochs: Annotated[int, typer.Option()] = 2,
    rate: Annotated[float, typer.Option()] = 2e-3,
    seeds: Annotated[str, typer.Option(metavar="A,B")] = "1,2,3",
    only: Annotated[list[str] | None, typer.Option(metavar="WEIGHTS:ACTS", help="Repeat for more.")] = None,
    acc_bits: Annotated[int, typer.Option()] = 16,
    rescale_bits: Annotated[int, typer.Option()] = 4,
    edges: Annotated[str, typer.Option(help="Format of the first and the last layer's weights; else as all.")] = "",
    input_bits: Annotated[int, typer.Option(help="Of the image.")] = 8,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Other fields of TrainSettings, such as inner=1.0."),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="As of `narrows train`: the same results, sooner.")
    ] = False,
    work: Annotated[Path, typer.Option(help="Checkpoints and programs.")] = Path("build/formats_trained"),
    programs: Annotated[
        Path | None, typer.Option(help="Also put the last seed's programs here, as the zoo names them.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Synthesised arrays.")] = Path("build/bench"),
) -> None:
    """Train and measure what is not there yet, then print the table."""
    work.mkdir(parents=True, exist_ok=True)
    wanted = [tuple(text.split(":")) for text in only] if only else FORMATS
    setup = Setup.of(model, data, images=images, test_images=test_images, epochs=epochs, seed=0)
    found: list[dict[str, Any]] = json.loads(json_file.read_text(encoding="utf-8")) if json_file.exists() else []
    recipe = {"epochs": epochs, "rate": rate, "scale_rate": rate / 40, "learn_shift": False, "distillation": 1.0}
    recipe |= {"crop": 4, "mirror": True} | recipe_of(given or [])
    whole = float_accuracy(setup)
    for seed in map(int, seeds.split(",")):
        for weights, acts in wanted:
            row = Row(
                weights=weights, acts=acts, acc_bits=acc_bits, rescale_bits=rescale_bits, seed=seed, accuracy=0.0,
                float_accuracy=whole, lut_per_unit=0.0, cycles=0, train_images=images, test_images=test_images,
                recipe=recipe, edge_weights=edges, input_bits=input_bits,
            )  # fmt: skip
            if not any(same_run(row, other) for other in found):
                found.append(dataclasses.asdict(_measured(row, setup, work, Flow(cache), compiled)))
                write_whole(json_file, json.dumps(found, indent=1).encode())
            if programs is not None:
                content = (work / f"{_name(row)}-{seed}.nrw").read_bytes()
                write_whole(programs / f"resnet8-{_name(row)}.nrw", content)
    _show(summary(found))


def _measured(row: Row, setup: Setup, work: Path, flow: Flow, compiled: bool) -> Row:
    config = configuration(base=row.acts, planes=0, acc_bits=row.acc_bits, rescale_bits=row.rescale_bits)
    settings = TrainSettings(seed=row.seed, compiled=compiled, **row.recipe)
    network = network_of(
        setup.graph,
        setup.calibration,
        QuantSettings(
            weights=row.weights, acts=row.acts, edge_weights=row.edge_weights or None, input_bits=row.input_bits
        ),
        config,
        settings,
    )
    part = slice(row.train_images)
    name = f"{_name(row)}-{row.seed}"
    trainer = Trainer(
        network, Samples(network.start, setup.data.x_train[part], setup.data.y_train[part]), {"formats": _name(row)}
    )
    checkpoint = work / f"{name}.pt"
    if checkpoint.exists():
        try:
            trainer.load(checkpoint)
        except InputError:
            _console.print(f"{checkpoint} is of another run: training starts anew")
    while not trainer.done:
        loss = trainer.train_epoch()
        trainer.save(checkpoint)
        _console.print(f"{name}, epoch {trainer.epoch}: loss {loss:.4f}")
    graph = to_quantised(trainer.result())
    program = compile_graph(graph, config)
    program.save(checkpoint.with_suffix(".nrw"))
    share = accuracy(setup, graph, config)
    _console.print(f"{name}: {100 * share:.2f} % (float {100 * row.float_accuracy:.2f} %)")
    luts = _luts(row.acts, row.acc_bits, flow)
    return dataclasses.replace(row, accuracy=share, lut_per_unit=luts, cycles=timeline(program).cycles)


def _name(row: Row) -> str:
    formats = row.weights if row.weights == row.acts else f"{row.weights}-{row.acts}"
    edges = f"-edges-{row.edge_weights}" if row.edge_weights else ""
    image = f"-image{row.input_bits}" if row.input_bits < 8 else ""
    return f"{formats}{edges}{image}-p{row.acc_bits}-k{row.rescale_bits}"


def _luts(base: str, acc_bits: int, flow: Flow) -> float:
    case = Case(unit=base, rows=2, columns=2, lanes=16, acc_bits=acc_bits, tree_stage=2)
    row = measure(Design.of(case, "ecp5"), flow)
    return round(row.lut / row.share, 2)


def summary(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """A line for each format and budget: accuracy as mean and standard deviation over seeds."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        budget = (row["acc_bits"], row["train_images"], json.dumps(row["recipe"], sort_keys=True))
        edges = row.get("edge_weights", "")
        weights = f"{row['weights']}, edges {edges}" if edges else row["weights"]
        if row.get("input_bits", 8) < 8:
            weights += f", image of {row['input_bits']} bits"
        groups.setdefault((weights, row["acts"], *budget), []).append(row)
    lines = []
    for (weights, acts, acc_bits, images, _), own in groups.items():
        shares = [100 * row["accuracy"] for row in own]
        spread = f" +- {statistics.stdev(shares):.2f}" if len(shares) > 1 else ""
        below = 100 * own[0]["float_accuracy"] - statistics.mean(shares)
        lines.append(
            (
                weights, acts, str(acc_bits), f"{own[0]['recipe']['epochs']} x {images}", str(len(own)),
                f"{statistics.mean(shares):.2f}{spread}", f"{below:.2f}", f"{own[0]['lut_per_unit']:.1f}",
                f"{own[0]['cycles']:,}",
            )
        )  # fmt: skip
    return lines


def _show(lines: list[tuple[str, ...]]) -> None:
    table = Table(title="ResNet-8, trained")
    names = ("weights", "activations", "P", "images", "seeds", "top-1 in %", "below float", "LUT4 a unit", "cycles")
    for name in names:
        table.add_column(name, justify="left" if name in ("weights", "activations") else "right")
    for line in lines:
        table.add_row(*line)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
