"""Trains a CNN of another shape than the built-in example on MNIST: 5x5 valid, stride 2, projected skip, two dense.

Needs the ``train`` extra and MNIST as an npz file (``x_train``, ``y_train``, ``x_test``, ``y_test``, uint8, 28x28).

    python bench/mnist/train.py mnist.npz bench/mnist/mnist.onnx
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SEED = 2
EPOCHS = 4
BATCH = 64


class MnistNet(nn.Module):
    """Pixels 0..255 in, ten scores out; no BatchNorm, so that biases and scales are as training left them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 5)
        self.pool = nn.MaxPool2d(2)
        self.down = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.body = nn.Conv2d(32, 32, 3, padding=1)
        self.skip = nn.Conv2d(16, 32, 1, stride=2)
        self.mean = nn.AvgPool2d(2)
        self.hidden = nn.Linear(32 * 3 * 3, 48)
        self.classify = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of shape (N, 10) for images of shape (N, 1, 28, 28)."""
        x = self.pool(torch.relu(self.stem(x / 255.0)))
        x = torch.relu(self.body(torch.relu(self.down(x))) + self.skip(x))
        x = torch.flatten(self.mean(x), 1)
        return self.classify(torch.relu(self.hidden(x)))


def main() -> None:
    """Trains, reports the test accuracy, writes the ONNX file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    arguments = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    with np.load(arguments.data) as data:
        x, y = torch.from_numpy(data["x_train"])[:, None], torch.from_numpy(data["y_train"]).long()
        test_x, test_y = torch.from_numpy(data["x_test"])[:, None].float(), data["y_test"]
    model = MnistNet()
    steps = EPOCHS * -(-len(x) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[index].float()), y[index]).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        predicted = model(test_x).argmax(1).numpy()
    print(f"test accuracy {100 * np.mean(predicted == test_y):.2f} % of {len(test_y)}")  # noqa: T201 - a script's result
    torch.onnx.export(
        model,
        (torch.zeros(1, 1, 28, 28),),
        str(arguments.model),
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        output_names=["scores"],
        dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
    )


if __name__ == "__main__":
    main()
