"""Accuracy of ResNet-8 on CIFAR-10 after post-training quantisation: formats, accumulator widths, rescaler widths.

    python bench/quantisation/post_training.py --images 5000 --json post_training.json --figure post_training.svg

Every row is measured by the golden model on integer codes. Model and data are looked for in $NARROWS_DATA (by default
here): `models/resnet8_float.onnx`, `data/cifar10_train_first20000.npz` (its first images calibrate) and
`data/cifar10_test_first5000.npz`. Nothing is drawn at random.
"""

from __future__ import annotations

import json
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
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.runtime.tensors import prepare_input
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

_AT_ONCE = 250  # images: all tensors of so many are in memory


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured point; ``accuracy`` is None where no certificate could be met."""

    model: str = "resnet8"
    method: str
    weights: str
    acts: str
    acc_bits: int
    rescale_bits: int
    accuracy: float | None = None
    images: int = 0
    seed: int | None = None


FORMATS = [
    Row(method="formats", weights=weights, acts=acts, acc_bits=acc_bits, rescale_bits=8)
    for weights, acts, acc_bits in (
        ("int8", "int8", 24), ("dybit8", "int8", 28), ("int4", "int8", 24), ("dybit4", "int8", 24),
        ("int4", "int4", 20), ("dybit4", "dybit4", 20), ("int3", "int4", 20), ("dybit3", "dybit4", 20),
        ("dybit2", "dybit4", 20),
    )
]  # fmt: skip
ACCUMULATORS = [
    Row(method="accumulator", weights=name, acts=name, acc_bits=acc_bits, rescale_bits=4)
    for name in ("dybit4", "int4")
    for acc_bits in (20, 16, 15, 14, 13, 12)
]
RESCALERS = [
    Row(method="rescaler", weights="dybit4", acts="dybit4", acc_bits=16, rescale_bits=bits)
    for bits in (32, 16, 8, 6, 5, 4, 3, 2)
]


def main(
    images: Annotated[int, typer.Option(help="Test images, at most 5,000.", min=1, max=5000)] = 5000,
    calibration: Annotated[int, typer.Option(help="Calibration images.", min=1, max=20000)] = 128,
    table: Annotated[str, typer.Option(help="formats, accumulators, rescalers or all.")] = "all",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Write a figure (SVG or PNG).")] = None,
) -> None:
    """Measure the tables and print them."""
    tables = {"formats": FORMATS, "accumulators": ACCUMULATORS, "rescalers": RESCALERS}
    if table not in (*tables, "all"):
        raise typer.BadParameter(f"must be {', '.join(tables)} or all, not {table}")
    wanted = [row for name, rows in tables.items() if table in (name, "all") for row in rows]
    folder = Path(os.environ.get("NARROWS_DATA", "."))
    graph = load_model(folder / "models" / "resnet8_float.onnx")
    calib = np.load(folder / "data" / "cifar10_train_first20000.npz")["x"][:calibration].astype(np.float32)
    test = np.load(folder / "data" / "cifar10_test_first5000.npz")
    x, labels = test["x"][:images].astype(np.float32), test["y"][:images].ravel()
    float_row = Row(method="float", weights="float", acts="float", acc_bits=0, rescale_bits=0)
    rows = [replace(float_row, accuracy=_float_accuracy(graph, x, labels), images=images)]
    for row in track(wanted, "quantising and evaluating", console=Console(stderr=True)):
        rows.append(replace(row, accuracy=_accuracy(graph, calib, row, x, labels), images=images))
    _show(rows)
    if json_file:
        json_file.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    if figure:
        _plot(rows, figure)


def _accuracy(graph: Graph, calib: NDArray, row: Row, x: NDArray, labels: NDArray) -> float | None:
    config = AcceleratorConfig(acc_bits=row.acc_bits, rescale_bits=row.rescale_bits)
    settings = QuantSettings(weights=row.weights, acts=row.acts)
    try:
        quantised = quantise(graph, calib, settings, config)
    except CertificateError:
        return None
    (name, _), *_ = quantised.outputs
    golden = GoldenModel(quantised, config)
    return _share_correct(lambda part: golden.run(prepare_input(quantised, part))[name], x, labels)


def _float_accuracy(graph: Graph, x: NDArray, labels: NDArray) -> float:
    lowered = lower(graph)
    (name, _), *_ = lowered.outputs
    return _share_correct(lambda part: evaluate(lowered, part)[name], x, labels)


def _share_correct(scores: Callable[[NDArray], NDArray], x: NDArray, labels: NDArray) -> float:
    correct = 0
    for first in range(0, len(x), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        best = scores(x[part]).reshape(len(labels[part]), -1).argmax(axis=1)
        correct += int((best == labels[part]).sum())
    return correct / len(x)


def _show(rows: list[Row]) -> None:
    table = Table(title=f"ResNet-8 on {rows[0].images:,} CIFAR-10 test images, post-training")
    for name in ("table", "weights", "activations", "P", "k", "accuracy"):
        table.add_column(name, justify="right" if name in ("P", "k", "accuracy") else "left")
    for row in rows:
        widths = [str(value or "") for value in (row.acc_bits, row.rescale_bits)]
        accuracy = "no certificate" if row.accuracy is None else f"{100 * row.accuracy:.2f} %"
        table.add_row(row.method, row.weights, row.acts, *widths, accuracy)
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
    fig.savefig(path)


if __name__ == "__main__":
    typer.run(main)
