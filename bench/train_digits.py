"""Trains the built-in example: a small residual CNN on scikit-learn's 8x8 digits, and writes its package data.

Needs the ``train`` extra. Seeded and single-threaded: the same versions give the same files.

    python bench/train_digits.py sw/examples
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from narrows.sw.results import write_arrays
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

SEED = 1
TEST_IMAGES = 450
CALIBRATION_IMAGES = 256
EPOCHS = 60
BATCH = 64


def conv(inputs: int, outputs: int) -> nn.Sequential:
    """3x3 convolution with BatchNorm, spatial size kept."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))


class DigitsNet(nn.Module):
    """Stem, one residual block, pooling, one more convolution, classifier; pixels 0..16 in, ten scores out."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(1, 16)
        self.first = conv(16, 16)
        self.second = conv(16, 16)
        self.pool = nn.MaxPool2d(2)
        self.last = conv(16, 32)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of shape (N, 10) for images of shape (N, 1, 8, 8)."""
        x = torch.relu(self.stem(x))
        x = torch.relu(self.second(torch.relu(self.first(x))) + x)
        x = torch.relu(self.last(self.pool(x)))
        return self.classify(torch.flatten(self.mean(x), 1))


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images moved by -1, 0 or 1 pixels in each direction, drawn per image, blank where nothing moves in."""
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    offsets = torch.randint(0, 3, (len(images), 2), generator=generator)
    return torch.stack([p[:, y : y + 8, x : x + 8] for p, (y, x) in zip(padded, offsets.tolist(), strict=True)])


def train(images: Tensor, labels: Tensor) -> DigitsNet:
    """Trained network, in evaluation mode."""
    generator = torch.Generator().manual_seed(SEED)
    model = DigitsNet()
    steps = EPOCHS * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(images), generator=generator).split(BATCH):
            optimizer.zero_grad()
            scores = model(shifted(images[index], generator))
            nn.functional.cross_entropy(scores, labels[index], label_smoothing=0.05).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def main() -> None:
    """Trains, reports the held-out accuracy, writes digits.onnx and digits.npz into the folder given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.images.astype(np.uint8)[:, np.newaxis],
        digits.target.astype(np.uint8),
        test_size=TEST_IMAGES,
        stratify=digits.target,
        random_state=SEED,
    )
    model = train(torch.from_numpy(train_x).float(), torch.from_numpy(train_y).long())
    with torch.no_grad():
        predicted = model(torch.from_numpy(test_x).float()).argmax(1).numpy()
    print(f"held-out accuracy {100 * np.mean(predicted == test_y):.2f} % of {len(test_y)}")  # noqa: T201 - a script's result
    # Training-mode export without folding keeps the BatchNormalization nodes, as models from elsewhere have them.
    torch.onnx.export(
        model,
        (torch.zeros(1, 1, 8, 8),),
        str(folder / "digits.onnx"),
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        output_names=["scores"],
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
        dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
    )
    arrays = {"calib_x": train_x[:CALIBRATION_IMAGES], "test_x": test_x, "test_y": test_y}
    write_arrays(folder / "digits.npz", arrays)


if __name__ == "__main__":
    main()
