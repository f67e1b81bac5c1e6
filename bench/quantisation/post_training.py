"""Accuracy of ResNet-8 on CIFAR-10 (or DS-CNN on keywords) after post-training quantisation, and what each means adds.

    python bench/quantisation/post_training.py --images 5000 --json post_training.json --figure post_training.svg
    python bench/quantisation/post_training.py --model dscnn --json dscnn.json

Tables: formats, accumulator widths (with and without greedy rounding), rescaler widths (with and without scales that
absorb the multiplicand's error), means (bias correction and cross-layer equalisation), and tensors: what each costs in
4 bits where all others have 8. Every row is measured by the golden model on integer codes. Models and data are looked
for in $NARROWS_DATA (by default here): `models/resnet8_float.onnx`, `data/cifar10_train_first20000.npz` (its first
images calibrate) and `data/cifar10_test_first5000.npz`; `models/dscnn_float.onnx` and `data/kws_first500.npz` (the
first 128 calibrate, the others test). ``--model zoo`` is the ResNet-8 trained here. Nothing is drawn at random.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import CertificateError
from narrows.sw.files import new_file
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.passes import lower
from narrows.sw.quantize import LayerFormats, QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.results import write_json
from narrows.sw.runtime.tensors import prepare_input
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

_AT_ONCE = 250  # images: all tensors of so many are in memory


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured point; ``accuracy`` is None where no certificate could be met. ``layer`` is the one whose output has
    4 bits whatever ``acts`` says."""

    model: str = "resnet8"
    method: str
    weights: str
    acts: str
    acc_bits: int
    rescale_bits: int
    accuracy: float | None = None
    images: int = 0
    seed: int | None = None
    layer: str | None = None

    @property
    def settings(self) -> QuantSettings:
        """How the point is quantised; ``method`` says what differs from the defaults."""
        own = {self.layer: LayerFormats(acts="dybit4")} if self.layer else {}
        return QuantSettings(weights=self.weights, acts=self.acts, layers=own, **_MEANS.get(self.method, {}))


_MEANS: dict[str, dict[str, bool]] = {
    "accumulator, nearest only": {"axe": False},
    "rescaler, free scales": {"absorb": False},
    "no bias correction": {"bias_correction": False},
    "equalised": {"equalise": True},
}
"""Settings by method."""


FORMATS = [
    Row(method="formats", weights=weights, acts=acts, acc_bits=acc_bits, rescale_bits=8)
    for weights, acts, acc_bits in (
        ("int8", "int8", 24), ("dybit8", "int8", 28), ("int4", "int8", 24), ("dybit4", "int8", 24),
        ("int4", "int4", 20), ("dybit4", "dybit4", 20), ("int3", "int4", 20), ("dybit3", "dybit4", 20),
        ("dybit2", "dybit4", 20), ("dybit3", "dybit3", 20),
    )
]  # fmt: skip
ACCUMULATORS = [
    Row(method=method, weights=name, acts=name, acc_bits=acc_bits, rescale_bits=4)
    for name in ("dybit4", "int4")
    for method, widths in (
        ("accumulator", (20, 16, 15, 14, 13, 12)), ("accumulator, nearest only", (16, 15, 14, 13, 12)),
    )
    for acc_bits in widths
]  # fmt: skip
RESCALERS = [
    Row(method=method, weights="dybit4", acts="dybit4", acc_bits=16, rescale_bits=bits)
    for method in ("rescaler", "rescaler, free scales")
    for bits in (32, 16, 8, 6, 5, 4, 3, 2)
]
MEANS = [
    Row(method=method, weights=name, acts=name, acc_bits=16, rescale_bits=4)
    for name in ("dybit4", "int4")
    for method in ("all means", "no bias correction", "equalised")
]
TABLES = {"formats": FORMATS, "accumulators": ACCUMULATORS, "rescalers": RESCALERS, "means": MEANS}
MODELS = {
    "resnet8": "ResNet-8 on CIFAR-10",
    "zoo": "ResNet-8 on CIFAR-10, trained here",
    "dscnn": "DS-CNN on keywords",
}


@dataclass(frozen=True)
class Task:
    """A float model with samples to calibrate and to test on."""

    name: str
    graph: Graph
    calibration: NDArray
    x: NDArray
    labels: NDArray


def main(
    model: Annotated[str, typer.Option(help="resnet8, zoo or dscnn.")] = "resnet8",
    images: Annotated[int, typer.Option(help="Test samples, at most 5,000.", min=1, max=5000)] = 5000,
    calibration: Annotated[int, typer.Option(help="Calibration samples.", min=1, max=20000)] = 128,
    table: Annotated[str, typer.Option(help="formats, accumulators, rescalers, means, tensors or all.")] = "all",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Write a figure (SVG or PNG).")] = None,
) -> None:
    """Measure the tables and print them."""
    if table not in (*TABLES, "tensors", "all"):
        raise typer.BadParameter(f"must be {', '.join(TABLES)}, tensors or all, not {table}")
    if model not in MODELS:
        raise typer.BadParameter(f"must be {', '.join(MODELS)}, not {model}")
    task = _task(model, calibration, images)
    tables = {**TABLES, "tensors": _one_by_one(task.graph)}
    wanted = [replace(row, model=model) for name, rows in tables.items() if table in (name, "all") for row in rows]
    float_row = Row(model=model, method="float", weights="float", acts="float", acc_bits=0, rescale_bits=0)
    rows = [replace(float_row, accuracy=_float_accuracy(task), images=len(task.x))]
    for row in track(wanted, "quantising and evaluating", console=Console(stderr=True)):
        rows.append(replace(row, accuracy=_accuracy(task, row), images=len(task.x)))
    _show(rows)
    write_json(json_file, [asdict(row) for row in rows])
    if figure:
        _plot(rows, figure)


def _one_by_one(graph: Graph) -> list[Row]:
    row = Row(method="tensors", weights="dybit4", acts="int8", acc_bits=20, rescale_bits=8)
    lowered = lower(graph)
    inner = [layer.name for layer in lowered.layers if layer.output not in lowered.output_tensors]
    return [row, *(replace(row, layer=name) for name in inner), replace(row, acts="dybit4")]


def _task(model: str, calibration: int, images: int) -> Task:
    folder = Path(os.environ.get("NARROWS_DATA", "."))
    zoo = Path(__file__).parent / "zoo" / "resnet8_float.onnx"
    graph = load_model(zoo if model == "zoo" else folder / "models" / f"{model}_float.onnx")
    if model == "dscnn":
        data = np.load(folder / "data" / "kws_first500.npz")
        x, labels = ((data["x_int8"].astype(np.float32) - 83) * 0.5847029)[:, np.newaxis], data["y"].ravel()
        x = x.reshape(len(x), *graph.input.shape)
        return Task(model, graph, x[:calibration], x[calibration:][:images], labels[calibration:][:images])
    calib = np.load(folder / "data" / "cifar10_train_first20000.npz")["x"][:calibration].astype(np.float32)
    test = np.load(folder / "data" / "cifar10_test_first5000.npz")
    return Task(model, graph, calib, test["x"][:images].astype(np.float32), test["y"][:images].ravel())


def _accuracy(task: Task, row: Row) -> float | None:
    config = AcceleratorConfig(acc_bits=row.acc_bits, rescale_bits=row.rescale_bits)
    try:
        quantised = quantise(task.graph, task.calibration, row.settings, config)
    except CertificateError:
        return None
    golden, name = GoldenModel(quantised, config), quantised.outputs[0].tensor
    return _share_correct(lambda part: golden.run(prepare_input(quantised, part))[name], task.x, task.labels)


def _float_accuracy(task: Task) -> float:
    lowered = lower(task.graph)
    name = lowered.outputs[0].tensor
    return _share_correct(lambda part: evaluate(lowered, part)[name], task.x, task.labels)


def _share_correct(scores: Callable[[NDArray], NDArray], x: NDArray, labels: NDArray) -> float:
    correct = 0
    for first in range(0, len(x), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        best = scores(x[part]).reshape(len(labels[part]), -1).argmax(axis=1)
        correct += int((best == labels[part]).sum())
    return correct / len(x)


def _show(rows: list[Row]) -> None:
    table = Table(title=f"{MODELS[rows[0].model]}, {rows[0].images:,} test samples, post-training")
    for name in ("table", "weights", "activations", "P", "k", "accuracy"):
        table.add_column(name, justify="right" if name in ("P", "k", "accuracy") else "left")
    for row in rows:
        widths = [str(value or "") for value in (row.acc_bits, row.rescale_bits)]
        accuracy = "no certificate" if row.accuracy is None else f"{100 * row.accuracy:.2f} %"
        acts = f"{row.acts}, {row.layer} dybit4" if row.layer else row.acts
        table.add_row(row.method, row.weights, acts, *widths, accuracy)
    Console().print(table)


def _plot(rows: list[Row], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    fig, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for name in ("dybit4", "int4"):
        label = f"{name} W4A4"
        points = [(row.acc_bits, row.accuracy) for row in rows if row.method == "accumulator" and row.weights == name]
        left.plot(
            *zip(*[(p, 100 * a) for p, a in points if a is not None], strict=True), marker="o", label=f"{name} W4A4"
        )
    points = [(row.rescale_bits, row.accuracy) for row in rows if row.method == "rescaler" and row.accuracy is not None]
    right.plot(*zip(*[(k, 100 * a) for k, a in points], strict=True), marker="o", label="dybit4 W4A4, P = 16")
    right.set_xscale("log", base=2)
    for axis, label in ((left, "accumulator bits P (k = 4)"), (right, "rescaler bits k")):
        axis.axhline(100 * (rows[0].accuracy or 0), linestyle="--", color="grey", label="float")
        axis.set(xlabel=label, ylabel="top-1 accuracy in %")
        axis.grid(alpha=0.3)
        axis.legend()
    with new_file(path) as file:
        fig.savefig(file, format=path.suffix[1:])


if __name__ == "__main__":
    typer.run(main)
