"""int8 TFLite models against LiteRT: first answers and codes of the golden model beside those of its kernels.

    python bench/litert.py --images 1000 --json litert.json
    python bench/litert.py --only resnet8 --images 5000 --acc-bits 24

Codes are those of the last quantised tensor (before a Softmax, which is left to the host). LiteRT has several kernels
for an operator, which do not agree with each other: its reference kernels, which are also those of microcontrollers,
round sums twice, those that run by default on a desktop once. The programs follow the reference kernels; --default
holds the same answers against the others, and says how far LiteRT agrees with itself. Samples are CIFAR-10's test
images (MobileNet: enlarged to 96 x 96), the keyword set's spectrograms, and smooth noise for the autoencoder.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from models import CONFIGS, EXACT, SHARED
from narrows.sim.golden import GoldenModel
from narrows.sw.frontend import load_model
from narrows.sw.frontend.tflite import run_litert
from narrows.sw.frontend.tflite.file import read_tflite
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from narrows.sw.runtime import prepare_input
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

MODELS = {
    "resnet8": "pretrainedResnet_quant.tflite",
    "dscnn": "kws_ref_model.tflite",
    "mobilenetv1": "vww_96_int8.tflite",
    "autoencoder": "ad01_int8.tflite",
}
_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model: shares of samples with the same first answer, of equal codes, the largest difference of codes."""

    model: str
    images: int
    agreement: float
    equal_codes: float
    largest: int
    default_agreement: float | None = None
    litert_itself: float | None = None


def _samples(model: str, data: Path, images: int) -> tuple[NDArray, NDArray]:
    """Samples that calibrate, and samples to answer, as the model takes them."""
    if model in ("resnet8", "mobilenetv1"):
        calibration = np.load(data / "cifar10_train_first20000.npz")["x"][:64].astype(np.float64)
        x = np.load(data / "cifar10_test_first5000.npz")["x"][:images].astype(np.float64)
        if model == "resnet8":
            return calibration, x
        return tuple(part.repeat(3, axis=1).repeat(3, axis=2) / 255 for part in (calibration, x))  # type: ignore
    if model == "dscnn":
        x = (np.load(data / "kws_first500.npz")["x_int8"].astype(np.float64) - 83) * 0.5847029089927673
        return x[:64], x[:images]
    noise = np.random.default_rng(0).normal(0, 1, (64 + images, 5, 128))
    smooth = np.cumsum(noise, axis=2) / 4 + noise[:, :1, :1] * 10 - 30
    return smooth[:64].reshape(64, 640), smooth[64:].reshape(-1, 640)


def main(
    models: Annotated[Path, typer.Option(help="Folder of the models.")] = SHARED / "models",
    data: Annotated[Path, typer.Option(help="Folder of the data.")] = SHARED / "data",
    only: Annotated[list[str] | None, typer.Option(help="Only models of this name; repeat for more.")] = None,
    images: Annotated[int, typer.Option(help="Samples to answer.", min=1)] = 500,
    acc_bits: Annotated[int, typer.Option(help="Accumulator bits P.")] = 28,
    rescale_bits: Annotated[int, typer.Option(help="Multiplicand bits k.")] = 16,
    default: Annotated[bool, typer.Option("--default", help="Compare with LiteRT's default kernels, too.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Measure all models and print them."""
    rows = [
        _measure(name, models / MODELS[name], *_samples(name, data, images), acc_bits, rescale_bits, default)
        for name in only or MODELS
    ]
    table = Table(title=f"golden model against LiteRT, P = {acc_bits}, k = {rescale_bits}")
    for title in ("model", "samples", "same answer", "equal codes", "largest difference", "default kernels", "LiteRT"):
        table.add_column(title, justify="left" if title == "model" else "right")
    for row in rows:
        shares = (row.agreement, row.equal_codes), (row.default_agreement, row.litert_itself)
        first, second = ([f"{s:.2%}" if s is not None else "" for s in pair] for pair in shares)
        table.add_row(row.model, str(row.images), *first, str(row.largest), *second)
    Console(width=110).print(table)
    write_json(json_file, [asdict(row) for row in rows])


def _measure(
    name: str, path: Path, calibration: NDArray, x: NDArray, acc_bits: int, rescale_bits: int, default: bool
) -> Row:
    config = replace(CONFIGS[EXACT], acc_bits=acc_bits, rescale_bits=rescale_bits)
    graph = quantise(load_model(path), calibration, QuantSettings(), config)
    output = graph.outputs[0].tensor
    tensor = graph.tensors[output]
    golden, parts = GoldenModel(graph, config), []
    for start in range(0, len(x), _AT_ONCE):
        parts.append(golden.run(prepare_input(graph, x[start : start + _AT_ONCE]))[output])
    codes = np.concatenate(parts).reshape(len(x), -1) - tensor.zero
    file = read_tflite(path)
    last = file.nodes[-1].inputs[0] if file.nodes[-1].kind == "SOFTMAX" else file.outputs[0]
    values = run_litert(path, x, every=True)
    expected = np.rint(values[file.tensors[last].name].reshape(len(x), -1) / tensor.scale).astype(np.int64)
    best = values[file.tensors[file.outputs[0]].name].reshape(len(x), -1).argmax(axis=1)
    row = Row(
        model=name,
        images=len(x),
        agreement=float((codes.argmax(axis=1) == best).mean()),
        equal_codes=float((codes == expected).mean()),
        largest=int(np.abs(codes - expected).max()),
    )
    if not default:
        return row
    usual = next(iter(run_litert(path, x, default_kernels=True).values())).reshape(len(x), -1).argmax(axis=1)
    return replace(
        row,
        default_agreement=float((codes.argmax(axis=1) == usual).mean()),
        litert_itself=float((best == usual).mean()),
    )


if __name__ == "__main__":
    typer.run(main)
