"""Every model at hand, from its file to the simulated core: accuracy, cycles, utilisation, and whether engines agree.

    python bench/models.py --models models --data data --json models.json
    python bench/models.py --only resnet8 --images 5000            # whole test sets
    python bench/models.py --only kws_w3a3 --rtl 5                 # the Verilog, too

Float models are quantised after training to the formats named; QONNX and TFLite models keep their own integers. The
golden model answers the first --images test samples. The first --compare ones run on the ISA model, too, and the first
--rtl ones on the Verilog under Verilator: every layer's checksum is compared with the one that the golden model
predicts. Of the first --dumps samples every tensor is read back and compared element by element, and the cycles up to
each layer are compared with the cycle model's (off: the largest difference of a layer). The file of --json has the
layers one by one.
Utilisation is the share of multiply-accumulate slots that multiply a trained weight once; busy is the share of cycles
in which the array is fed. A model whose file is not there is left out. Nothing of the models is part of this
repository: they are the four of MLPerf Tiny (float ONNX and int8 TFLite), MNIST-8 of the ONNX model zoo, and the QONNX
zoo's TFC and keyword-spotting networks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from layer_rows import layer_rows
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.cli.output import progress_bar
from narrows.sw.compile import compile_graph
from narrows.sw.costs.work import useful_macs, utilisation
from narrows.sw.engines import EngineName, EngineRun, find_engine
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from narrows.sw.runtime import prepare_input
from narrows.sw.verify import compare_predicted
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

SHARED = Path(os.environ.get("NARROWS_DATA", "."))
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
    """What was measured of a case.

    ``agreement`` is the share of samples whose reference class has the largest score, ``compared`` and ``rtl`` are the
    samples that ran on the ISA model and on the Verilog, ``seconds`` those that one of the latter took. Of the
    ``layers``, ``cycles`` are those of the cycle model, ``off`` is how far the Verilog's count differs from it.
    """

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
    rtl: int
    seconds: float | None
    off: float | None
    mismatches: int
    differences: list[str]
    layers: list[dict[str, Any]]


def pictures(data: Path) -> Samples:
    """CIFAR-10: calibration on training images, answers on test images."""
    calibration = np.load(data / "cifar10_train_first20000.npz")["x"][:128]
    test = np.load(data / "cifar10_test_first5000.npz")
    return Samples(calibration=calibration, x=test["x"], labels=test["y"].ravel())


def keywords(data: Path) -> Samples:
    """Spectrograms of keywords; the first 128 calibrate."""
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


def noise(mean: float, deviation: float, *shape: int) -> Callable[[Path], Samples]:
    """Samples drawn at random, for models without a data set: they show cycles and agreement, not accuracy."""

    def load(data: Path) -> Samples:
        x = np.random.default_rng(0).normal(mean, deviation, (64, *shape))
        return Samples(calibration=x, x=x[:16])

    return load


_FACES = noise(0.5, 0.25, 96, 96, 3)
_SOUND = noise(-30.0, 20.0, 640)
CASES = (
    Case(model="resnet8", file="resnet8_float.onnx", config=BYTES, samples=pictures, weights="int8", acts="int8"),
    Case(model="resnet8", file="resnet8_float.onnx", config=NARROW, samples=pictures, weights="dybit4", acts="dybit4"),
    Case(model="resnet8", file="pretrainedResnet_quant.tflite", config=EXACT, samples=pictures),
    Case(model="dscnn", file="dscnn_float.onnx", config=BYTES, samples=keywords, weights="int8", acts="int8"),
    Case(model="dscnn", file="kws_ref_model.tflite", config=EXACT, samples=keywords),
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
    models: Annotated[Path, typer.Option(help="Folder of the models.")] = SHARED / "models",
    data: Annotated[Path, typer.Option(help="Folder of the data.")] = SHARED / "data",
    only: Annotated[list[str] | None, typer.Option(help="Only models of this name; repeat for more.")] = None,
    images: Annotated[int, typer.Option(help="Test samples for the golden model.", min=1)] = 500,
    compare: Annotated[int, typer.Option(help="Samples compared tensor by tensor on the ISA model.", min=1)] = 2,
    rtl: Annotated[int, typer.Option(help="Samples compared in co-simulation.", min=0)] = 0,
    dumps: Annotated[int, typer.Option(help="Of these, samples whose every tensor is read back.", min=1)] = 2,
    config: Annotated[str, typer.Option(help="Only cases of the configurations that contain this text.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Measure all cases and print them; exit status 1 if engines differ."""
    rows = []
    for case in CASES:
        if (not only or case.model in only) and config in case.config and (models / case.file).exists():
            rows.append(_measure(case, models, data, images, compare, rtl, dumps))
            said = f"{case.file}, {case.config}: {rows[-1].mismatches} differences {rows[-1].differences[:3] or ''}"
            Console(stderr=True).print(said, highlight=False)
    if not rows:
        raise typer.BadParameter(f"no model of that name in {models}: give --models FOLDER")
    _show(rows)
    write_json(json_file, [asdict(row) for row in rows])
    if any(row.mismatches for row in rows):
        raise typer.Exit(1)


def _measure(case: Case, models: Path, data: Path, images: int, compare: int, rtl: int, dumps: int) -> Row:
    config, samples = CONFIGS[case.config], case.samples(data)
    model = load_model(models / case.file)
    settings = QuantSettings(weights=case.weights, acts=case.acts) if case.weights else QuantSettings()
    graph = quantise(model, samples.calibration, settings, config)
    program = compile_graph(graph, config)
    x = samples.x[:images]
    best = _best(program, x)
    levels = prepare_input(program.graph, x[: max(compare, rtl)])
    golden = _run(EngineName.GOLDEN, program, levels, 0)
    isa = _run(EngineName.ISA, program, levels, dumps)
    differences = compare_predicted(program, EngineName.ISA, golden, isa, inputs=levels)
    core = None
    if rtl:
        core = _run(EngineName.RTL, program, levels[:rtl], dumps)
        first = replace(golden, tensors={name: tensor[:rtl] for name, tensor in golden.tensors.items()})
        differences += compare_predicted(program, EngineName.RTL, first, core, inputs=levels[:rtl])
    layers = _layers(program, isa, core)
    return Row(
        model=case.file,
        config=case.config,
        formats=f"{case.weights}, {case.acts}" if case.weights else "the model's own",
        images=len(x),
        accuracy=_share(best, samples.labels, first=True),
        agreement=_share(best, samples.predictions, first=False),
        cycles=float(isa.cycles.mean()),
        utilisation=utilisation(useful_macs(lower(model)), float(isa.cycles.mean()), config.macs),
        busy=float((isa.busy / isa.cycles).mean()),
        cert_bits=max(getattr(layer, "cert_bits", 0) for layer in program.graph.layers),
        compared=len(levels),
        rtl=rtl,
        seconds=None if core is None else core.wall_seconds * float(core.cycles.mean()) / core.sim_cycles,
        off=None if core is None else max(layer["off"] for layer in layers),
        mismatches=len(differences),
        differences=[str(difference) for difference in differences],
        layers=layers,
    )


def _run(engine: EngineName, program: Program, levels: NDArray[np.int64], dumps: int) -> EngineRun:
    with progress_bar(f"running ({engine})") as progress:
        return find_engine(engine).run(program, levels, progress=progress, dump_layers=dumps, keep_tensors=True)


def _layers(program: Program, isa: EngineRun, core: EngineRun | None) -> list[dict[str, Any]]:
    """All layers, with how far the cycles of the Verilog are off the cycle model's."""
    layers = layer_rows(program)
    if core is not None:
        model, counted = (np.diff(run.layer_cycles[: len(core.layer_cycles)], prepend=0) for run in (isa, core))
        off = np.abs(counted / model - 1).max(axis=0)
        layers = [layer | {"off": float(share)} for layer, share in zip(layers, off, strict=True)]
    return layers


def _best(program: Program, x: NDArray) -> NDArray[np.bool_]:
    """Which scores (N, classes) are the largest of their sample; there may be several."""
    golden = GoldenModel(program.graph, program.config)
    name = program.graph.outputs[0].tensor
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
        "on ISA",
        "in RTL",
        "s each",
        "off",
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
            str(row.compared),
            str(row.rtl),
            "" if row.seconds is None else f"{row.seconds:.1f}",
            "" if row.off is None else f"{row.off:.2%}",
            str(row.mismatches),
        )
    Console(width=180).print(table)


if __name__ == "__main__":
    typer.run(main)
