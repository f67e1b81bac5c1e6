"""What reconstruction on unlabelled calibration samples gives (`narrows compile --reconstruct`), by the golden model.

    python bench/quantisation/reconstruction.py --json reconstruction.json
    python bench/quantisation/reconstruction.py --only zoo:dybit2:dybit4:16 --set mix=0.5 --json mix.json

Every point is a model, formats of weights and activations and an accumulator width: it is quantised with and without,
on the same calibration samples, and both programs answer the same test samples. Errors of blocks, agreement with the
float model, accuracy and processor seconds go into rows. ``--set`` changes one of `ReconstructionSettings`. Data are
those of `post_training.py`, in $NARROWS_DATA: seed 0 calibrates on the first images, each other one on the next so
many; keywords are shuffled. Rows that are in the file already are not measured again. One thread.
"""

from __future__ import annotations

import functools
import json
import os
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any
from unittest import mock

import numpy as np
import torch
import typer
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.layers import Mac
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.quantize.rebuild import Reconstructed
from narrows.sw.quantize.reconstructing import quantise_and_reconstruct
from narrows.sw.quantize.train import reconstruct
from narrows.sw.results import write_json
from narrows.sw.runtime.tensors import prepare_input
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

_AT_ONCE = 250
_ZOO = Path(__file__).parent / "zoo"
POINTS = (
    "zoo:dybit4:dybit4:16", "zoo:dybit4:dybit4:12", "zoo:dybit3:dybit4:16", "zoo:dybit2:dybit4:16",
    "zoo:int4:int4:16", "zoo:e2m1:e2m1:16", "resnet8:dybit4:dybit4:16", "dscnn:dybit4:dybit4:16",
    "silu:dybit4:dybit4:20",
)  # fmt: skip
"""Model, weights, activations, accumulator bits."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured program; ``seconds`` are the processor's, ``blocks`` what became of each."""

    model: str
    weights: str
    acts: str
    acc_bits: int
    rescale_bits: int
    seed: int
    calibration: int
    images: int
    reconstructed: bool
    changed: str = ""
    accuracy: float
    float_accuracy: float
    agreement: float
    seconds: float
    blocks: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Task:
    """A float model with samples to calibrate and to test on."""

    graph: Graph
    calibration: NDArray
    x: NDArray
    labels: NDArray


def main(
    json_file: Annotated[Path, typer.Option("--json", help="Rows; those that it has are kept.")],
    only: Annotated[list[str] | None, typer.Option(help="MODEL:WEIGHTS:ACTS:P, any number of them.")] = None,
    images: Annotated[int, typer.Option(help="Test samples, at most 5,000.", min=1, max=5000)] = 5000,
    calibration: Annotated[int, typer.Option(help="Calibration samples.", min=1, max=4000)] = 128,
    seeds: Annotated[str, typer.Option(help="Which calibration samples, as in 0,1,2.")] = "0",
    changed: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of ReconstructionSettings.")] = None,
) -> None:
    """Measure the points that the file lacks, and print all of it."""
    torch.set_num_threads(1)
    values = dict(entry.split("=", 1) for entry in changed or ())
    kinds = {entry.name: type(entry.default) for entry in fields(reconstruct.ReconstructionSettings)}
    if unknown := set(values) - set(kinds):
        raise typer.BadParameter(f"--set knows {', '.join(kinds)}, not {', '.join(sorted(unknown))}")
    settings = {name: kinds[name](value) for name, value in values.items()}
    rows = [Row(**entry) for entry in _read(json_file)]
    for seed in map(int, seeds.split(",")):
        for point in only or POINTS:
            model, weights, acts, acc_bits = point.split(":")
            for asked in (False, True):
                about = {
                    "model": model, "weights": weights, "acts": acts, "acc_bits": int(acc_bits), "rescale_bits": 4,
                    "seed": seed, "calibration": calibration, "images": images, "reconstructed": asked,
                    "changed": ", ".join(changed or ()) if asked else "",
                }  # fmt: skip
                if any({name: getattr(row, name) for name in about} == about for row in rows):
                    continue
                rows.append(_measured(_task(model, calibration, images, seed), about, settings))
                write_json(json_file, [asdict(row) for row in rows])
                _show(rows[-1:])
    _show(rows)


def _measured(task: Task, about: dict[str, Any], settings: dict[str, Any]) -> Row:
    lowered = lower(task.graph)
    curves = sum(isinstance(layer, Mac) and layer.curve is not None for layer in lowered.layers)
    config = AcceleratorConfig(
        base="e2m1" if about["acts"] == "e2m1" else "dybit4",
        acc_bits=about["acc_bits"],
        rescale_bits=about["rescale_bits"],
        tables=curves,
    )
    wanted = QuantSettings(weights=about["weights"], acts=about["acts"], reconstruct=about["reconstructed"])
    blocks: list[Reconstructed] = []
    began = time.process_time()
    usual = functools.partial(reconstruct.ReconstructionSettings, **settings)
    with mock.patch.object(reconstruct, "ReconstructionSettings", usual):
        quantised = quantise_and_reconstruct(task.graph, task.calibration, wanted, config, report=blocks.append)
    seconds = time.process_time() - began
    golden, tensor = GoldenModel(quantised, config), quantised.outputs[0].tensor
    given, floats = [], []
    for first in range(0, len(task.x), _AT_ONCE):
        part = task.x[first : first + _AT_ONCE]
        levels = golden.run(prepare_input(quantised, part), keep=(tensor,))[tensor]
        given.append(levels.reshape(len(part), -1).argmax(axis=1))
        floats.append(evaluate(lowered, part)[lowered.outputs[0].tensor].reshape(len(part), -1).argmax(axis=1))
    answers, right = np.concatenate(given), np.concatenate(floats)
    return Row(
        **about,
        accuracy=float((answers == task.labels).mean()),
        float_accuracy=float((right == task.labels).mean()),
        agreement=float((answers == right).mean()),
        seconds=round(seconds, 1),
        blocks=[asdict(each) | {"kept": each.kept} for each in blocks],
    )


def _task(model: str, calibration: int, images: int, seed: int) -> Task:
    folder = Path(os.environ.get("NARROWS_DATA", "."))
    own = _ZOO / {"zoo": "resnet8_float.onnx", "silu": "silu_float.onnx"}.get(model, "")
    graph = load_model(own if own.is_file() else folder / "models" / f"{model}_float.onnx")
    if model == "dscnn":
        data = np.load(folder / "data" / "kws_first500.npz")
        x = ((data["x_int8"].astype(np.float32) - 83) * 0.5847029).reshape(-1, *graph.input.shape)
        order = np.random.default_rng(seed).permutation(len(x)) if seed else np.arange(len(x))
        x, labels = x[order], data["y"].ravel()[order]
        return Task(graph, x[:calibration], x[calibration:][:images], labels[calibration:][:images])
    calib = np.load(folder / "data" / "cifar10_train_first20000.npz")["x"]
    test = np.load(folder / "data" / "cifar10_test_first5000.npz")
    return Task(
        graph,
        calib[seed * calibration : (seed + 1) * calibration].astype(np.float32),
        test["x"][:images].astype(np.float32),
        test["y"][:images].ravel(),
    )


def _read(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def _show(rows: list[Row]) -> None:
    table = Table(title="reconstruction on calibration samples")
    for name in ("model", "weights", "acts", "P", "seed", "reconstructed", "top-1", "float", "agreement", "CPU s"):
        table.add_column(name)
    for row in rows:
        how = row.changed or ("yes" if row.reconstructed else "no")
        shares = [f"{100 * share:.2f} %" for share in (row.accuracy, row.float_accuracy, row.agreement)]
        table.add_row(
            row.model, row.weights, row.acts, str(row.acc_bits), str(row.seed), how, *shares, f"{row.seconds:.0f}"
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
