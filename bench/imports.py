"""W8A8 of float models beside onnxruntime's own static int8: how near each comes to float on the same calibration.

    python bench/imports.py --json imports.json
    python bench/imports.py --only dscnn --images 500

The float files of MLPerf Tiny's four tasks are quantised twice with the same 128 calibration samples: by narrows (the
golden model answers) and by onnxruntime's `quantize_static` (QDQ, int8 weights by channel, int8 activations by smallest
and largest value), whose program onnxruntime runs. Both are held against the float model under onnxruntime on samples
that neither has seen: share of samples with the same first answer, signal-to-noise ratio of the first output before
Softmax, and with labels the accuracy. Visual wake words has no labelled set here: its images are CIFAR-10's, enlarged
three times; the autoencoder hears noise. A model whose file is not there is left out.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import typer
from models import BYTES, CONFIGS, SHARED, Samples, keywords, noise, pictures
from narrows.sim.golden import GoldenModel
from narrows.sw.frontend import load_model
from narrows.sw.onnx_sessions import exact_session
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from narrows.sw.runtime import prepare_input, restore_outputs
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from rich.console import Console
from rich.table import Table

_AT_ONCE = 100


def _enlarged(data: Path) -> Samples:
    found = pictures(data)
    calibration, x = (each[:500].repeat(3, axis=1).repeat(3, axis=2) / 255 for each in (found.calibration, found.x))
    return Samples(calibration=calibration, x=x)


CASES = {
    "resnet8": ("resnet8_float.onnx", pictures),
    "dscnn": ("dscnn_float.onnx", keywords),
    "mobilenetv1": ("mobilenetv1_vww_float.onnx", _enlarged),
    "autoencoder": ("autoencoder_ad_float.onnx", noise(-30.0, 20.0, 640)),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one quantisation of one model gives beside float."""

    model: str
    by: str
    samples: int
    agreement: float
    snr_db: float
    accuracy: float | None
    float_accuracy: float | None


class _Reader(CalibrationDataReader):
    def __init__(self, name: str, samples: NDArray) -> None:
        self._feeds = iter([{name: sample[np.newaxis].astype(np.float32)} for sample in samples])

    def get_next(self) -> dict[str, NDArray] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The next sample, or None."""
        return next(self._feeds, None)


def _without_softmax(path: Path, folder: Path) -> Path:
    """The model up to what its Softmax reads: what the core computes."""
    model = onnx.load(path)
    last = next((node for node in model.graph.node if node.output[0] == model.graph.output[0].name), None)
    if last is not None and last.op_type == "Softmax":
        model.graph.node.remove(last)
        model.graph.output[0].name = last.input[0]
    onnx.save(model, folder / path.name)
    return folder / path.name


def _scores(path: Path, x: NDArray) -> NDArray[np.float64]:
    session = exact_session(path)
    name = session.get_inputs()[0].name
    parts = [np.asarray(session.run(None, {name: sample[np.newaxis].astype(np.float32)})[0]) for sample in x]
    return np.concatenate(parts).reshape(len(x), -1).astype(np.float64)


def _static(path: Path, samples: NDArray, x: NDArray) -> NDArray[np.float64]:
    """What onnxruntime makes of the model in int8."""
    name, target = onnx.load(path).graph.input[0].name, path.with_suffix(".int8.onnx")
    logging.disable(logging.WARNING)
    quantize_static(
        str(path),
        str(target),
        _Reader(name, samples),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QInt8,
    )
    logging.disable(logging.NOTSET)
    return _scores(target, x)


def _narrows(path: Path, samples: NDArray, x: NDArray, settings: QuantSettings) -> NDArray[np.float64]:
    config = CONFIGS[BYTES]
    graph = quantise(load_model(path), samples, settings, config)
    golden = GoldenModel(graph, config)
    parts = []
    for start in range(0, len(x), _AT_ONCE):
        levels = golden.run(prepare_input(graph, x[start : start + _AT_ONCE]), keep=graph.output_tensors)
        parts.append(next(iter(restore_outputs(graph, levels).values())))
    return np.concatenate(parts).reshape(len(x), -1)


def _row(model: str, by: str, wanted: NDArray, given: NDArray, labels: NDArray | None) -> Row:
    best, own = wanted.argmax(axis=1), given.argmax(axis=1)
    noise = np.square(given - wanted).mean()
    return Row(
        model=model,
        by=by,
        samples=len(wanted),
        agreement=float((best == own).mean()),
        snr_db=float(10 * np.log10(np.square(wanted).mean() / noise)),
        accuracy=None if labels is None else float((own == labels).mean()),
        float_accuracy=None if labels is None else float((best == labels).mean()),
    )


def main(
    models: Annotated[Path, typer.Option(help="Folder of the models.")] = SHARED / "models",
    data: Annotated[Path, typer.Option(help="Folder of the data.")] = SHARED / "data",
    only: Annotated[list[str] | None, typer.Option(help="Only models of this name; repeat for more.")] = None,
    images: Annotated[int, typer.Option(help="Samples to answer.", min=1)] = 500,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> list[Row]:
    """Measure and print; exit status 1 if narrows is farther from float than onnxruntime's int8 in a model."""
    rows: list[Row] = []
    behind = []
    settings = QuantSettings(weights="int8", acts="int8")
    for name, (file, load) in CASES.items():
        if (only and name not in only) or not (models / file).exists():
            continue
        samples = load(data)
        x = samples.x[len(samples.calibration) if name == "dscnn" else 0 :][:images]
        labels = None if samples.labels is None else samples.labels[len(samples.labels) - len(samples.x) :]
        if labels is not None:
            labels = labels[len(samples.calibration) if name == "dscnn" else 0 :][: len(x)]
        with tempfile.TemporaryDirectory() as folder:
            path = _without_softmax(models / file, Path(folder))
            wanted = _scores(path, x)
            theirs = _row(name, "onnxruntime", wanted, _static(path, samples.calibration, x), labels)
            ours = _row(name, "narrows", wanted, _narrows(path, samples.calibration, x, settings), labels)
        rows += [theirs, ours]
        if ours.snr_db < theirs.snr_db or ours.agreement < theirs.agreement:
            behind.append(name)
    _show(rows)
    write_json(json_file, [asdict(row) for row in rows])
    if behind:
        Console(stderr=True).print(f"farther from float than onnxruntime's int8: {', '.join(behind)}", highlight=False)
        raise typer.Exit(1)
    return rows


def _show(rows: list[Row]) -> None:
    table = Table(title="W8A8 beside float")
    for title in ("model", "quantised by", "samples", "same first answer", "SNR", "top-1", "float"):
        table.add_column(title, justify="left" if title in ("model", "quantised by") else "right")
    for row in rows:
        shares = ("" if share is None else f"{share:.2%}" for share in (row.accuracy, row.float_accuracy))
        table.add_row(row.model, row.by, str(row.samples), f"{row.agreement:.2%}", f"{row.snr_db:.1f} dB", *shares)
    Console(width=100).print(table)


if __name__ == "__main__":
    typer.run(main)
