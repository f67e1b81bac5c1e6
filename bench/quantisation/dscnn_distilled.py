"""DS-CNN in 4 bits, distilled on inputs made of few samples: shifts in time, gains, noise, mixtures.

    python bench/quantisation/dscnn_distilled.py --json dscnn_distilled.json
    python bench/quantisation/dscnn_distilled.py --only e2m1:e2m1 --samples 20000 --epochs 4

Of the 500 labelled samples one half trains and the other one judges, then the other way round, so that every sample is
judged once by a network that has not seen it. The float model's scores are the only target: labels of the training
half are not looked at. Inputs are coefficients (cepstra), so a gain is a constant on the first one, and noise is as
large as a coefficient's own deviation times a small number. Both figures are the golden model's on integer codes, with
and without training, at P = 16, k = 4.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from narrows.hw.spec.config import AcceleratorConfig, bases_of
from narrows.sim.golden import GoldenModel
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.passes import lower
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.quantize.train import Samples, Trainer, TrainSettings, network_of, to_quantised
from narrows.sw.results import write_json
from narrows.sw.runtime import prepare_input
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from models import keywords  # beside this folder, not installed

FORMATS = ("dybit4:dybit4", "e2m1:e2m1", "int4:int4")
_DATA = Path(os.environ.get("NARROWS_DATA", "."))
_SHIFT = 6
"""Frames (of 49, 20 ms each) that a sample moves in time, at most."""

_GAIN = 8.0
"""Added to the first coefficient, at most."""

_NOISE = 0.25
"""Of the deviation of a coefficient, at most."""

_MIXED = 0.5
"""Part of the inputs that are mixtures of two samples."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One choice of formats: how many of the samples are answered right, all together; of each half in ``halves``."""

    weights: str
    acts: str
    acc_bits: int
    rescale_bits: int
    seed: int
    float_accuracy: float
    post_training: float
    accuracy: float
    halves: tuple[float, float]
    train_inputs: int
    epochs: int
    rate: float


def main(
    data: Annotated[Path, typer.Option(help="Folder with models and data.")] = _DATA,
    only: Annotated[list[str], typer.Option(help="weights:activations; repeat for more.")] = list(FORMATS),  # noqa: B006
    samples: Annotated[int, typer.Option(min=128, help="Inputs made of a half.")] = 16000,
    epochs: Annotated[int, typer.Option(min=1)] = 4,
    rate: Annotated[float, typer.Option(help="Of weights, in levels.")] = 4e-3,
    acc_bits: Annotated[int, typer.Option(help="Accumulator bits.")] = 16,
    seed: Annotated[int, typer.Option(help="Of inputs and training.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Distil both ways and print."""
    torch.set_num_threads(1)
    graph = load_model(data / "models" / "dscnn_float.onnx")
    spectrograms = keywords(data / "data")
    x, labels = spectrograms.x.astype(np.float32).reshape(-1, *graph.input.shape), spectrograms.labels.ravel()
    rows = []
    for formats in only:
        weights, _, acts = formats.partition(":")
        bases = bases_of(acts if weights == acts else f"{weights}x{acts}")
        config = AcceleratorConfig(acc_bits=acc_bits, rescale_bits=4, **bases)  # pyright: ignore[reportArgumentType]
        settings = QuantSettings(weights=weights, acts=acts, equalise=True)
        how = TrainSettings(epochs=epochs, seed=seed, rate=rate, scale_rate=rate / 40, distillation=1.0)
        right, before = [], []
        for first in (0, 1):
            train, judged = x[first::2], x[1 - first :: 2]
            network = network_of(graph, train[:128], settings, config, how)
            wanted = labels[1 - first :: 2]
            before.append(_right(network.start, config, judged, wanted))
            trainer = Trainer(network, Samples(network.start, augmented(train, samples, seed), None))
            while not trainer.done:
                loss = trainer.train_epoch()
                Console(stderr=True).print(f"{formats}, half {first}, epoch {trainer.epoch}: loss {loss:.4f}")
            right.append(_right(to_quantised(trainer.result()), config, judged, wanted))
        rows.append(
            Row(
                weights=weights,
                acts=acts,
                acc_bits=acc_bits,
                rescale_bits=4,
                seed=seed,
                float_accuracy=_float(graph, x, labels),
                post_training=sum(before) / len(x),
                accuracy=sum(right) / len(x),
                halves=(right[0] / len(x[1::2]), right[1] / len(x[::2])),
                train_inputs=samples,
                epochs=epochs,
                rate=rate,
            )
        )
        write_json(json_file, {"rows": [asdict(row) for row in rows]})
    _show(rows)


def augmented(x: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """Inputs of shape (count, *x.shape[1:]) made of samples of shape (N, ..., frames, coefficients, ...): each is one
    sample or a mixture of two, moved in time, louder or softer, with noise."""
    draw = np.random.default_rng(seed)
    frames, coefficients = 49, 10
    flat = x.reshape(len(x), frames, coefficients)
    deviation = flat.std(axis=(0, 1))
    made = np.empty((count, frames, coefficients), dtype=np.float32)
    for each in made:
        parts = [_moved(flat[draw.integers(len(flat))], int(draw.integers(-_SHIFT, _SHIFT + 1))) for _ in range(2)]
        share = draw.beta(0.4, 0.4) if draw.random() < _MIXED else 1.0
        each[:] = share * parts[0] + (1 - share) * parts[1]
        each[:, 0] += draw.uniform(-_GAIN, _GAIN)
        each += draw.normal(size=each.shape) * deviation * draw.uniform(0, _NOISE)
    low, high = flat.min(), flat.max()
    return made.clip(low, high).reshape(count, *x.shape[1:])


def _moved(sample: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """A sample later (or sooner) by so many frames; its first (or last) one fills what is missing."""
    return sample[np.clip(np.arange(len(sample)) - frames, 0, len(sample) - 1)]


def _right(graph: QuantisedGraph, config: AcceleratorConfig, x: NDArray, labels: NDArray) -> int:
    scores = GoldenModel(graph, config).run(prepare_input(graph, x))[graph.outputs[0].tensor]
    return int((scores.reshape(len(x), -1).argmax(1) == labels).sum())


def _float(graph: Graph, x: NDArray, labels: NDArray) -> float:
    lowered = lower(graph)
    scores = evaluate(lowered, x)[lowered.outputs[0].tensor]
    return float((scores.reshape(len(x), -1).argmax(1) == labels).mean())


def _show(rows: list[Row]) -> None:
    table = Table(title="DS-CNN, every sample judged by a network that has not seen it")
    for name in ("weights", "activations", "P", "float", "post-training", "distilled", "halves"):
        table.add_column(name, justify="left" if name in ("weights", "activations") else "right")
    for row in rows:
        shares = [f"{100 * share:.2f} %" for share in (row.float_accuracy, row.post_training, row.accuracy)]
        table.add_row(
            row.weights, row.acts, str(row.acc_bits), *shares, ", ".join(f"{100 * half:.1f}" for half in row.halves)
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    typer.run(main)
