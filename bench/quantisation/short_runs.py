"""What the tables of trained networks share: model, data, one short run, and its accuracy by the golden model."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.files import write_whole
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.passes import lower
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.quantize.train import Samples, Trainer, TrainSettings, network_of, to_quantised
from narrows.sw.runtime.tensors import prepare_input
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).with_name("zoo")))
from cifar10 import Cifar10, load_cifar10, load_npz  # beside this folder, not installed

__all__ = ["CALIBRATION", "Row", "Setup", "accuracy", "configuration", "float_accuracy", "show", "trained", "write"]

CALIBRATION = 128
_AT_ONCE = 250


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured point."""

    model: str = "resnet8"
    method: str
    weights: str
    acts: str
    acc_bits: int
    rescale_bits: int
    accuracy: float
    images: int
    seed: int | None


@dataclass(frozen=True)
class Setup:
    """A float model with its data, and how long a run is."""

    graph: Graph
    data: Cifar10
    images: int
    test_images: int
    epochs: int
    seed: int

    @staticmethod
    def of(model: Path, data: Path | None, *, images: int, test_images: int, epochs: int, seed: int) -> Setup:
        """The first ``images`` to train on, the first ``test_images`` to measure with; ``data`` None: CIFAR-10."""
        torch.set_num_threads(1)
        graph = load_model(model)
        return Setup(
            graph, _shaped(load_cifar10() if data is None else load_npz(data), graph), images, test_images, epochs, seed
        )

    @property
    def calibration(self) -> NDArray[np.float32]:
        """Samples for post-training quantisation."""
        return self.data.x_train[:CALIBRATION].astype(np.float32)

    @property
    def test(self) -> tuple[NDArray, NDArray]:
        """Images and labels to measure with."""
        return self.data.x_test[: self.test_images], self.data.y_test[: self.test_images]


def _shaped(data: Cifar10, graph: Graph) -> Cifar10:
    """Images in the model's own shape: MNIST comes without an axis of channels."""
    x_train, x_test = (x.reshape(len(x), *graph.input.shape) for x in (data.x_train, data.x_test))
    return dataclasses.replace(data, x_train=x_train, x_test=x_test)


def trained(
    setup: Setup, quantisation: QuantSettings, config: AcceleratorConfig, **settings: Any
) -> tuple[QuantisedGraph, AcceleratorConfig]:
    """The graph after one short run."""
    how = TrainSettings(**{"epochs": setup.epochs, "seed": setup.seed, "learn_shift": False} | settings)
    network = network_of(setup.graph, setup.calibration, quantisation, config, how)
    part = slice(setup.images)
    trainer = Trainer(network, Samples(network.start, setup.data.x_train[part], setup.data.y_train[part]))
    while not trainer.done:
        trainer.train_epoch()
    return to_quantised(trainer.result()), config


def accuracy(setup: Setup, graph: QuantisedGraph, config: AcceleratorConfig) -> float:
    """Share of test images that the golden model labels as they are."""
    golden, name = GoldenModel(graph, config), graph.outputs[0].tensor
    x, labels = setup.test
    right = 0
    for first in range(0, len(x), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        scores = golden.run(prepare_input(graph, x[part]))[name]
        right += int((scores.reshape(len(scores), -1).argmax(1) == labels[part]).sum())
    return right / len(x)


def float_accuracy(setup: Setup) -> float:
    """The same of the float model."""
    lowered = lower(setup.graph)
    name = lowered.outputs[0].tensor
    x, labels = setup.test
    right = 0
    for first in range(0, len(x), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        scores = evaluate(lowered, x[part].astype(np.float32))[name]
        right += int((scores.reshape(len(scores), -1).argmax(1) == labels[part]).sum())
    return right / len(x)


def configuration(**changes: Any) -> AcceleratorConfig:
    """The machine that all of this is measured for, with other widths."""
    return dataclasses.replace(PRESETS["medium"], **changes)


def show(title: str, rows: Iterable[Row]) -> None:
    """Print rows."""
    table = Table(title=title)
    for name in ("method", "weights", "activations", "P", "k", "accuracy"):
        table.add_column(name, justify="right" if name in ("P", "k", "accuracy") else "left")
    for row in rows:
        widths = [str(value or "") for value in (row.acc_bits, row.rescale_bits)]
        table.add_row(row.method, row.weights, row.acts, *widths, f"{100 * row.accuracy:.2f} %")
    Console().print(table)


def write(path: Path | None, rows: Iterable[Row]) -> None:
    """Write rows as JSON; None: do nothing."""
    if path is not None:
        write_whole(path, json.dumps([dataclasses.asdict(row) for row in rows], indent=1).encode())
