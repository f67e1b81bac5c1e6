"""Accuracy after a short training for narrow accumulators: A2Q, A2Q+, fitted weights, none at all, and Brevitas.

    python bench/quantisation/accumulators.py mnist.npz --json accumulators.json --figure accumulators.svg

The network is that of bench/mnist, small enough for sixty runs in some minutes. MNIST is an npz file with ``x_train``,
``y_train``, ``x_test``, ``y_test`` (uint8, 28x28). Every run starts from the same float model, sees the same images the
same number of times, and learns from labels and the float model's scores alike. INT is W4A4 with signed weights and
unsigned activations, DyBit W4A4 with both signed. Ours are measured by the golden model on integer codes, with
certificates of P bits; Brevitas (where it is installed: the extra ``compare``) in its own fake quantisation. Networks
trained without a limit are measured with sums that wrap. Configurations begin at 12 bits; below that the
limit holds for the layers with weights.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import torch
import typer
from narrows.sw.files import new_file
from narrows.sw.layers import Mac
from narrows.sw.passes import lower
from narrows.sw.quantised import MacLayer, QuantisedGraph
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.train import TrainSettings
from narrows.sw.quantize.train.float_network import FloatNetwork
from narrows.sw.quantize.train.loss import task_loss
from narrows.sw.runtime.tensors import prepare_input
from rich.console import Console
from rich.progress import track
from short_runs import CALIBRATION, Row, Setup, accuracy, configuration, float_accuracy, show, trained, write
from wrapping import wrapped_outputs

WIDTHS = (20, 18, 16, 14, 12, 10)
FORMATS = {"dybit": ("dybit4", "dybit4"), "int": ("int4", "uint4")}
RESCALE_BITS = 8
_LEAST = 12  # what a configuration can have
_BREVITAS_RATE = 1e-3
_AT_ONCE = 250


def main(
    data: Annotated[Path, typer.Argument(help="MNIST.")],
    model: Annotated[Path, typer.Option(help="Float model.")] = Path(__file__).parents[1] / "mnist" / "mnist.onnx",
    images: Annotated[int, typer.Option(help="Training images, the first ones.")] = 9600,
    test_images: Annotated[int, typer.Option(help="Test images, the first ones.")] = 5000,
    epochs: Annotated[int, typer.Option()] = 1,
    seed: Annotated[int, typer.Option()] = 1,
    kinds: Annotated[list[str], typer.Option("--kind", help="dybit or int; may be given twice.")] = list(FORMATS),  # noqa: B006
    widths: Annotated[list[int], typer.Option("--width", help="P; may be given several times.")] = list(WIDTHS),  # noqa: B006
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows, after each of them.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Write a figure (SVG or PNG).")] = None,
) -> None:
    """Train and measure all of it."""
    setup = Setup.of(model, data, images=images, test_images=test_images, epochs=epochs, seed=seed)
    rows = [_row(setup, "float", ("float", "float"), 0, 0, float_accuracy(setup))]
    work = [(kind, method, bits) for kind in kinds for method in ("fitted", "a2q+", "a2q") for bits in widths]
    for kind in kinds:
        formats = FORMATS[kind]
        graph, _ = trained(setup, _settings(formats), configuration(acc_bits=20, rescale_bits=RESCALE_BITS), **_FREE)
        rows += [
            _row(setup, "free", formats, bits, RESCALE_BITS, _wrapped_accuracy(setup, graph, bits)) for bits in widths
        ]
        write(json_file, rows)
    for kind, method, bits in track(work, "training", console=Console(stderr=True)):
        config = configuration(acc_bits=max(bits, _LEAST), rescale_bits=RESCALE_BITS)
        graph, _ = trained(setup, _settings(FORMATS[kind]), config, **_FREE | {"accumulator": method, "acc_bits": bits})
        _check(graph, bits)
        rows.append(_row(setup, method, FORMATS[kind], bits, RESCALE_BITS, accuracy(setup, graph, config)))
        write(json_file, rows)
    if importlib.util.find_spec("brevitas"):
        for method in track(("a2q+", "a2q"), "training with Brevitas", console=Console(stderr=True)):
            for bits in widths:
                share = _brevitas_accuracy(setup, method, bits)
                rows.append(_row(setup, f"{method}, Brevitas", FORMATS["int"], bits, 0, share))
                write(json_file, rows)
    show(f"MNIST, {images} training images, {epochs} epochs, {test_images} test images", rows)
    if figure:
        _plot(rows, figure)


_FREE = {"accumulator": "free"}


def _settings(formats: tuple[str, str]) -> QuantSettings:
    return QuantSettings(weights=formats[0], acts=formats[1])


def _row(setup: Setup, method: str, formats: tuple[str, str], bits: int, k: int, share: float) -> Row:
    return Row(
        model="mnist", method=method, weights=formats[0], acts=formats[1], acc_bits=bits, rescale_bits=k,
        accuracy=share, images=setup.test_images, seed=None if method == "float" else setup.seed,
    )  # fmt: skip


def _check(graph: QuantisedGraph, bits: int) -> None:
    """Certificates of layers with weights; those of averages are what they are."""
    for layer in graph.layers:
        if isinstance(layer, MacLayer) and not layer.segments[0].depthwise and layer.cert_bits > bits:
            raise AssertionError(f"layer {layer.name} needs {layer.cert_bits} bits, not {bits}")


def _wrapped_accuracy(setup: Setup, graph: QuantisedGraph, bits: int) -> float:
    x, labels = setup.test
    right = 0
    for first in range(0, len(x), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        scores = wrapped_outputs(graph, prepare_input(graph, x[part]), bits)
        right += int((scores.reshape(len(scores), -1).argmax(1) == labels[part]).sum())
    return right / len(x)


def _brevitas_accuracy(setup: Setup, method: str, bits: int) -> float:
    from brevitas_network import PIXEL_MAX, BrevitasNetwork
    from narrows.sw.quantize.evaluate import evaluate, model_input, sums

    how = TrainSettings(epochs=setup.epochs, seed=setup.seed)
    torch.manual_seed(how.seed)
    graph = lower(setup.graph)
    teacher = FloatNetwork(graph)
    tensors = evaluate(graph, setup.calibration)
    means = [
        torch.tensor(sums(layer, tensors, {}).mean(axis=(0, 2, 3))) if isinstance(layer, Mac) else torch.empty(0)
        for layer in graph.layers
    ]
    pixels = torch.tensor(model_input(graph, setup.data.x_train[: setup.images])).float()
    labels = torch.tensor(setup.data.y_train[: setup.images]).long()
    network = BrevitasNetwork(graph, method, bits, statistics=5)
    network(pixels[:CALIBRATION] / PIXEL_MAX, means)
    optimizer = torch.optim.Adam(network.parameters(), lr=_BREVITAS_RATE)
    steps = how.epochs * (setup.images // how.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _BREVITAS_RATE, total_steps=steps, pct_start=how.warmup)
    for _ in range(how.epochs):
        for index in torch.randperm(setup.images).split(how.batch):
            x = pixels[index]
            loss = task_loss(network(x / PIXEL_MAX), teacher(x), labels[index], how)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    x, wanted = setup.test
    test = torch.tensor(model_input(graph, x)).float() / PIXEL_MAX
    with torch.no_grad():
        found = torch.cat([network(part).argmax(1) for part in test.split(_AT_ONCE)]).numpy()
    return float((found == wanted).mean())


def _plot(rows: list[Row], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    fig, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for axis, (kind, formats) in zip(axes, FORMATS.items(), strict=True):
        methods = dict.fromkeys(row.method for row in rows if (row.weights, row.acts) == formats)
        for method in methods:
            points = [(r.acc_bits, 100 * r.accuracy) for r in rows if (r.method, r.weights) == (method, formats[0])]
            axis.plot(*zip(*points, strict=True), marker="o", label=method)
        axis.axhline(100 * rows[0].accuracy, linestyle="--", color="grey", label="float")
        axis.set(xlabel="accumulator bits P", ylabel="top-1 accuracy in %", title=kind)
        axis.grid(alpha=0.3)
        axis.legend()
    with new_file(path) as file:
        fig.savefig(file, format=path.suffix[1:])


if __name__ == "__main__":
    typer.run(main)
