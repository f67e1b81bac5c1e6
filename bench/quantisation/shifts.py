"""Accuracy of a network with SiLU against what becomes of its activations' zero levels, DyBit and INT W4A4.

    python bench/quantisation/shifts.py --json shifts.json

``none`` puts every zero level between layers at 0 and widens the scales until the largest values fit; ``clamped`` does
not widen them, so that large values are cut; ``calibrated`` is what post-training quantisation finds. Each stays there
in training (``kept``) or is learned with the rest (``learned``); a zero level learns from values that are cut, and from
no others. The network is `zoo/silu_float.onnx`, of `zoo/train_silu.py`; rows are measured by the golden model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.train import Samples, Trainer, TrainSettings, network_of, to_quantised
from narrows.sw.quantize.train.network import Network
from rich.console import Console
from rich.progress import track
from short_runs import Row, Setup, accuracy, configuration, float_accuracy, show, write

_SHIFT_RATE = 3e-2  # so short a run would not move zero levels from one level to the next at the usual one
CONFIG = configuration(acc_bits=20, rescale_bits=8, tables=4)


def main(
    model: Annotated[Path, typer.Option(help="Float model.")] = Path(__file__).parent / "zoo" / "silu_float.onnx",
    data: Annotated[Path | None, typer.Option(help="npz instead of fetched images.")] = None,
    images: Annotated[int, typer.Option(help="Training images, the first ones.")] = 12800,
    test_images: Annotated[int, typer.Option(help="Test images, the first ones.")] = 5000,
    epochs: Annotated[int, typer.Option()] = 2,
    seed: Annotated[int, typer.Option()] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows, after each of them.")] = None,
) -> None:
    """Train and measure all of it."""
    setup = Setup.of(model, data, images=images, test_images=test_images, epochs=epochs, seed=seed)
    rows = [_row(setup, "float", "float", float_accuracy(setup))]
    cases = [
        (fmt, start, how)
        for fmt in ("dybit4", "int4")
        for start in ("none", "clamped", "calibrated")
        for how in ("", "kept", "learned")
    ]
    for fmt, start, how in track(cases, "training", console=Console(stderr=True)):
        learned = how == "learned"
        settings = TrainSettings(
            epochs=epochs, seed=seed, learn_shift=learned, shift_rate=_SHIFT_RATE, accumulator="free"
        )
        network = network_of(setup.graph, setup.calibration, QuantSettings(weights=fmt, acts=fmt), CONFIG, settings)
        if start != "calibrated":
            without_shift(network, widen=start == "none")
        if how:
            part = slice(setup.images)
            trainer = Trainer(network, Samples(network.start, setup.data.x_train[part], setup.data.y_train[part]))
            while not trainer.done:
                trainer.train_epoch()
            network = trainer.result()
        share = accuracy(setup, to_quantised(network), CONFIG)
        rows.append(_row(setup, f"{start}, {how or 'not trained'}", fmt, share))
        write(json_file, rows)
    show(f"SiLU network, {test_images} test images", rows)


@torch.no_grad()
def without_shift(network: Network, *, widen: bool) -> None:
    """Put zero levels between layers at 0, perhaps with scales such that the largest value is what it was."""
    fixed, done = {network.graph.input.tensor, *network.graph.output_tensors}, []
    for name in network.graph.tensors:
        if name in fixed:
            continue
        tensor = network.tensor(name)
        zero, top = tensor.start.zero, tensor.start.format.top
        tensor.shift.fill_(0.0)
        if widen and not any(tensor.octaves is each for each in done):  # an average's scale is its source's
            tensor.octaves.fill_(float(np.log2((top - zero) / top)))
            done.append(tensor.octaves)


def _row(setup: Setup, method: str, formats: str, share: float) -> Row:
    widths = {"acc_bits": 0, "rescale_bits": 0} if method == "float" else {"acc_bits": 20, "rescale_bits": 8}
    trained = method.endswith(("kept", "learned"))
    return Row(
        model="silu", method=method, weights=formats, acts=formats, accuracy=share, images=setup.test_images,
        seed=setup.seed if trained else None, **widths,
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
