"""Every model at hand, from its file to the simulated core: accuracy, cycles, utilisation, and whether engines agree.

    python bench/models.py --models models --data data --json models.json
    python bench/models.py --only resnet8 --images 5000            # whole test sets
    python bench/models.py --only kws_w3a3 --rtl 1                 # the Verilog, too

Float models are quantised after training to the formats named; QONNX and TFLite models keep their own integers. The
golden model answers the first --images test samples; of the first --compare ones every tensor is read back from the
ISA model (and of the first --rtl ones from the Verilog under Verilator) and compared with the golden model's.
Utilisation is the share of multiply-accumulate slots that multiply a trained weight once; busy is the share of cycles
in which the array is fed. A model whose file is not there is left out. Nothing of the models is part of this
repository: they are the four of MLPerf Tiny (float ONNX and int8 TFLite), MNIST-8 of the ONNX model zoo, and the QONNX
zoo's TFC and keyword-spotting networks.
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
from narrows.sw.cli.comparison import compare_engines
from narrows.sw.cli.options import Engine
from narrows.sw.cli.output import progress_bar
from narrows.sw.compile import compile_graph
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.report.work import useful_macs, utilisation
from narrows.sw.runtime import prepare_input
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

_SHARED = Path(os.environ.get("NARROWS_DATA", "."))
_AT_ONCE = 250  # samples: all tensors of so many are in memory

_ROOMY = AcceleratorConfig(
    rows=4,
    columns=4,
    lanes=16,
    rescalers=4,
    acc_bits=24,
    rescale_bits=8,
    act_words=65536,
    weight_words=65536,
    param_words=4096,
    taps=1024,
    blocks=1024,
)
CONFIGS = {
    "256 MACs, P = 24, k = 8": _ROOMY,
    "256 MACs, P = 16, k = 4": replace(_ROOMY, acc_bits=16, rescale_bits=4),
    "256 MACs, P = 24, k = 16, 5 planes": replace(_ROOMY, rescale_bits=16, planes=5),
    "256 MACs, P = 24, k = 16": replace(_ROOMY, rescale_bits=16),
}
BYTES, NARROW, WHOLE, EXACT = CONFIGS


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What calibrates and what is answered; ``labels`` and ``predictions`` of a reference as far as they are known."""

    calibration: NDArray
    x: NDArray
    labels: NDArray | None = None
    predictions: NDArray | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model on a configuration; ``weights`` and ``acts`` are formats for float models, empty for the model's own."""

    model: str
    file: str
    config: str
    samples: Callable[[Path], Samples]
    weights: str = ""
    acts: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was measured of a case; ``agreement``: share of samples whose reference class has the largest score."""

    model: str
    config: str
    formats: str
    images: int
    accuracy: float | None
    agreement: float | None
    cycles: float
    utilisation: float
    busy: float
    cert_bits: int
    compared: int
    mismatches: int
    layers: int


def _images(data: Path) -> Samples:
    calibration = np.load(data / "cifar10_train_first20000.npz")["x"][:128]
    test = np.load(data / "cifar10_test_first5000.npz")
    return Samples(calibration=calibration, x=test["x"], labels=test["y"].ravel())


def _keywords(data: Path) -> Samples:
    archive = np.load(data / "kws_first500.npz")
    x = (archive["x_int8"].astype(np.float64) - 83) * 0.5847029089927673  # the scale of the reference model's input
    return Samples(calibration=x[:128], x=x, labels=archive["y"])


def _narrow_keywords(data: Path) -> Samples:
    archive = np.load(data / "kws_finn_w3a3_1000.npz")
    x = archive["x_int8"] * float(archive["scale"])
    return Samples(calibration=x[:128], x=x, labels=archive["y"], predictions=archive["ref_pred"])


def _digits(top: float) -> Callable[[Path], Samples]:
    def load(data: Path) -> Samples:
        archive = np.load(data / "mnist.npz")
        train, test = (archive[name].reshape(-1, 1, 28, 28) * (top / 255) for name in ("x_train", "x_test"))
        return Samples(calibration=train[:128], x=test, labels=archive["y_test"])

    return load


def _noise(mean: float, deviation: float, *shape: int) -> Callable[[Path], Samples]:
    """Samples drawn at random, for models without a data set: they show cycles and agreement, not accuracy."""

    def load(data: Path) -> Samples:
        x = np.random.default_rng(0).normal(mean, deviation, (64, *shape))
        return Samples(calibration=x, x=x[:16])

    return load


_FACES = _noise(0.5, 0.25, 96, 96, 3)
_SOUND = _noise(-30.0, 20.0, 640)
CASES = (
    Case(model="resnet8", file="resnet8_float.onnx", config=BYTES, samples=_images, weights="int8", acts="int8"),
    Case(model="resnet8", file="resnet8_float.onnx", config=NARROW, samples=_images, weights="dybit4", acts="dybit4"),
    Case(model="resnet8", file="pretrainedResnet_quant.tflite", config=EXACT, samples=_images),
    Case(model="dscnn", file="dscnn_float.onnx", config=BYTES, samples=_keywords, weights="int8", acts="int8"),
    Case(model="dscnn", file="kws_ref_model.tflite", config=EXACT, samples=_keywords),
    Case(
        model="mobilenetv1",
        file="mobilenetv1_vww_float.onnx",
        config=BYTES,
        samples=_FACES,
        weights="int8",
        acts="int8",
    ),
    Case(model="mobilenetv1", file="vww_96_int8.tflite", config=EXACT, samples=_FACES),
    Case(
        model="autoencoder", file="autoencoder_ad_float.onnx", config=BYTES, samples=_SOUND, weights="int8", acts="int8"
    ),
    Case(model="autoencoder", file="ad01_int8.tflite", config=EXACT, samples=_SOUND),
    Case(model="mnist8", file="mnist-8.onnx", config=BYTES, samples=_digits(255), weights="int8", acts="int8"),
    Case(model="mnist8", file="mnist-8.onnx", config=NARROW, samples=_digits(255), weights="dybit4", acts="dybit4"),
    Case(model="tfc_1w1a", file="TFC_1W1A.onnx", config=NARROW, samples=_digits(1)),
    Case(model="tfc_1w2a", file="TFC_1W2A.onnx", config=EXACT, samples=_digits(1)),
    Case(model="tfc_2w2a", file="TFC_2W2A.onnx", config=EXACT, samples=_digits(1)),
    Case(model="kws_w3a3", file="kws_w3a3_hls4mlfinn.onnx", config=WHOLE, samples=_narrow_keywords),
)


def main(
    models: Annotated[Path, typer.Option(help="Folder of the models.")] = _SHARED / "models",
    data: Annotated[Path, typer.Option(help="Folder of the data.")] = _SHARED / "data",
    only: Annotated[list[str] | None, typer.Option(help="Only models of this name; repeat for more.")] = None,
    images: Annotated[int, typer.Option(help="Test samples for the golden model.", min=1)] = 500,
    compare: Annotated[int, typer.Option(help="Samples compared tensor by tensor on the ISA model.", min=1)] = 2,
    rtl: Annotated[int, typer.Option(help="Samples compared in co-simulation.", min=0)] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Measure all cases and print them; exit status 1 if engines differ."""
    rows = []
    for case in CASES:
        if (not only or case.model in only) and (models / case.file).exists():
            rows.append(_measure(case, models, data, images, compare, rtl))
            Console(stderr=True).print(
                f"{case.file}, {case.config}: {rows[-1].mismatches} differences", highlight=False
            )
    if not rows:
        raise typer.BadParameter(f"no model of that name in {models}: give --models FOLDER")
    _show(rows)
    if json_file:
        json_file.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    if any(row.mismatches for row in rows):
        raise typer.Exit(1)


def _measure(case: Case, models: Path, data: Path, images: int, compare: int, rtl: int) -> Row:
    config, samples = CONFIGS[case.config], case.samples(data)
    model = load_model(models / case.file)
    settings = QuantSettings(weights=case.weights, acts=case.acts) if case.weights else QuantSettings()
    graph = quantise(model, samples.calibration, settings, config)
    program = compile_graph(graph, config)
    x = samples.x[:images]
    best = _best(program, x)
    levels = prepare_input(program.graph, x[:compare])
    runs = compare_engines(program, levels, [Engine.ISA], bar=progress_bar)
    mismatches = len(runs.mismatches)
    if rtl:
        mismatches += len(compare_engines(program, levels[:rtl], [Engine.ISA, Engine.RTL], bar=progress_bar).mismatches)
    run = runs.runs[Engine.ISA]
    return Row(
        model=case.file,
        config=case.config,
        formats=f"{case.weights}, {case.acts}" if case.weights else "the model's own",
        images=len(x),
        accuracy=_share(best, samples.labels, first=True),
        agreement=_share(best, samples.predictions, first=False),
        cycles=float(run.cycles.mean()),
        utilisation=utilisation(useful_macs(lower(model)), float(run.cycles.mean()), config.macs),
        busy=float((run.busy / run.cycles).mean()),
        cert_bits=max(getattr(layer, "cert_bits", 0) for layer in program.graph.layers),
        compared=len(levels),
        mismatches=mismatches,
        layers=len(program.graph.layers),
    )


def _best(program: Program, x: NDArray) -> NDArray[np.bool_]:
    """Which scores (N, classes) are the largest of their sample; there may be several."""
    golden = GoldenModel(program.graph, program.config)
    (name, _), *_ = program.graph.outputs
    parts = [
        golden.run(prepare_input(program.graph, x[start : start + _AT_ONCE]))[name]
        for start in range(0, len(x), _AT_ONCE)
    ]
    scores = np.concatenate(parts).reshape(len(x), -1)
    return scores == scores.max(axis=1, keepdims=True)


def _share(best: NDArray[np.bool_], classes: NDArray | None, *, first: bool) -> float | None:
    """Share of samples whose class is the ``first`` largest score, or one of the largest."""
    if classes is None:
        return None
    classes = classes[: len(best)]
    hits = best.argmax(axis=1) == classes if first else best[np.arange(len(best)), classes]
    return float(hits.mean())


def _show(rows: list[Row]) -> None:
    table = Table(title="models")
    titles = (
        "model",
        "formats",
        "P certified",
        "top-1",
        "as reference",
        "samples",
        "cycles",
        "utilisation",
        "busy",
        "differ",
    )
    for title in titles:
        table.add_column(title, justify="left" if title in ("model", "formats") else "right")
    for row in rows:
        shares = ("" if share is None else f"{share:.2%}" for share in (row.accuracy, row.agreement))
        table.add_row(
            row.model,
            row.formats,
            str(row.cert_bits),
            *shares,
            str(row.images),
            f"{row.cycles:,.0f}",
            f"{row.utilisation:.1%}",
            f"{row.busy:.1%}",
            str(row.mismatches),
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    typer.run(main)
