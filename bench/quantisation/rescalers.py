"""Accuracy of ResNet-8 against the bits of its multiplicands: rounded afterwards, absorbed, trained with them.

    python bench/quantisation/rescalers.py --json rescalers.json --figure rescalers.svg

``rounded`` quantises once on free scales, with multiplicands of 32 bits, and rounds those to k bits; ``absorbed``
quantises on scales whose gains k bits hold exactly (`narrows compile`): 8 an octave, the same from 4 bits on;
``trained`` begins on free scales and rounds the gains in every step of a short training (rescale-aware training,
arXiv 2510.11484), without absorbing anything. DyBit W4A4, P = 16; every row is measured by the golden model.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import torch
import typer
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.errors import CertificateError
from narrows.sw.files import new_file
from narrows.sw.quantised import MacLayer, QuantisedGraph
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.train.rescaler import narrow
from rich.console import Console
from rich.progress import track
from short_runs import Row, Setup, accuracy, configuration, float_accuracy, show, trained, write

WIDTHS = (32, 16, 8, 6, 5, 4, 3, 2)
TRAINED = (8, 4, 3, 2)
_FORMATS = "dybit4"


def main(
    model: Annotated[Path, typer.Option(help="Float model.")] = Path(__file__).parent / "zoo" / "resnet8_float.onnx",
    data: Annotated[Path | None, typer.Option(help="npz instead of fetched images.")] = None,
    images: Annotated[int, typer.Option(help="Training images, the first ones.")] = 6400,
    test_images: Annotated[int, typer.Option(help="Test images, the first ones.")] = 5000,
    epochs: Annotated[int, typer.Option()] = 1,
    seed: Annotated[int, typer.Option()] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows, after each of them.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Write a figure (SVG or PNG).")] = None,
) -> None:
    """Quantise, train and measure all of it."""
    setup = Setup.of(model, data, images=images, test_images=test_images, epochs=epochs, seed=seed)
    settings = QuantSettings(weights=_FORMATS, acts=_FORMATS)
    free = dataclasses.replace(settings, absorb=False)
    rows = [_row(setup, "float", 0, float_accuracy(setup))]
    wide = quantise(setup.graph, setup.calibration, free, _config(32))
    for bits in track(WIDTHS, "quantising", console=Console(stderr=True)):
        rows.append(_row(setup, "rounded", bits, accuracy(setup, rounded(wide, bits), _config(bits))))
        try:
            graph = quantise(setup.graph, setup.calibration, settings, _config(bits))
        except CertificateError:
            continue
        rows.append(_row(setup, "absorbed", bits, accuracy(setup, graph, _config(bits))))
        write(json_file, rows)
    for bits in track(TRAINED, "training", console=Console(stderr=True)):
        graph, config = trained(setup, free, _config(bits), rescaling="narrow", distillation=1.0)
        rows.append(_row(setup, "trained", bits, accuracy(setup, graph, config)))
        write(json_file, rows)
    show(f"ResNet-8, {test_images} test images", rows)
    if figure:
        _plot(rows, figure)


def rounded(graph: QuantisedGraph, bits: int) -> QuantisedGraph:
    """The graph with its multiplicands rounded to so many bits, and nothing else changed."""
    layers: list = []
    for layer in graph.layers:
        if isinstance(layer, MacLayer):
            gain = torch.tensor(layer.multiplicand).double() * torch.exp2(-torch.tensor(layer.shift).double())
            m, s = (part.numpy() for part in narrow(gain, bits, _config(bits).shift_max))
            layers.append(dataclasses.replace(layer, multiplicand=m, shift=s))
        else:
            layers.append(layer)
    return dataclasses.replace(graph, layers=tuple(layers))


def _config(bits: int) -> AcceleratorConfig:
    return configuration(acc_bits=16, rescale_bits=bits)


def _row(setup: Setup, method: str, bits: int, share: float) -> Row:
    formats = "float" if method == "float" else _FORMATS
    return Row(
        method=method, weights=formats, acts=formats, acc_bits=16 if bits else 0, rescale_bits=bits, accuracy=share,
        images=setup.test_images, seed=setup.seed if method == "trained" else None,
    )  # fmt: skip


def _plot(rows: list[Row], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    fig, axis = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for method in ("rounded", "absorbed", "trained"):
        points = [(row.rescale_bits, 100 * row.accuracy) for row in rows if row.method == method]
        axis.plot(*zip(*points, strict=True), marker="o", label=method)
    axis.axhline(100 * rows[0].accuracy, linestyle="--", color="grey", label="float")
    axis.set_xscale("log", base=2)
    axis.set(xlabel="multiplicand bits k", ylabel="top-1 accuracy in %")
    axis.grid(alpha=0.3)
    axis.legend()
    with new_file(path) as file:
        fig.savefig(file, format=path.suffix[1:])


if __name__ == "__main__":
    typer.run(main)
