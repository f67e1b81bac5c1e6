"""A small transformer on MNIST, trained, compiled with dynamic weights, and held against its float self.

    python bench/transformer.py train transformer.onnx --data mnist.npz
    python bench/transformer.py measure transformer.onnx --data mnist.npz --json transformer.json

The 28 lines of an image are 28 tokens of 28 pixels; tokens of 32 channels go through encoder layers of PyTorch
(`nn.TransformerEncoderLayer`: two heads, LayerNorm, Gelu or Relu), and ten scores come from their mean. Needs the
``train`` extra to train. Accuracy is the golden model's, on the first images of the test set; the same integers come
from the instruction-set model, and from the simulated core for one image.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

SEED = 1
TOKENS, PIXELS, CLASSES = 28, 28, 10

app = typer.Typer(no_args_is_help=True, add_completion=False)


def encoder(width: int, heads: int, layers: int, norm_first: bool) -> Any:
    """The network: images (N, 28, 28) of 0 to 1 in, scores (N, 10) out."""
    import torch
    from torch import nn

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(PIXELS, width)
            self.places = nn.Parameter(0.1 * torch.randn(1, TOKENS, width))
            self.layers = nn.Sequential(
                *(
                    nn.TransformerEncoderLayer(
                        width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=norm_first
                    )
                    for _ in range(layers)
                )
            )
            self.classify = nn.Linear(width, CLASSES)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.classify(self.layers(self.embed(x) + self.places).mean(dim=1))

    return Encoder()


def images(data: Path, part: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images (N, 28, 28) of 0 to 1 and labels of a part of the data set: ``train`` or ``test``."""
    with np.load(data) as arrays:
        return arrays[f"x_{part}"].astype(np.float32) / 255.0, arrays[f"y_{part}"].astype(np.int64)


@app.command()
def train(
    onnx: Annotated[Path, typer.Argument(help="Where the network goes, as ONNX.")],
    data: Annotated[Path, typer.Option(help="MNIST as npz: x_train, y_train, x_test, y_test.")],
    width: Annotated[int, typer.Option(help="Channels of a token.")] = 32,
    heads: Annotated[int, typer.Option(help="Heads of attention.")] = 2,
    layers: Annotated[int, typer.Option(help="Encoder layers.")] = 1,
    epochs: Annotated[int, typer.Option(help="Times that all images are seen.")] = 5,
    norm_first: Annotated[bool, typer.Option(help="Normalise before each block instead of behind it.")] = False,
    opset: Annotated[int, typer.Option(help="Version of ONNX's operators.")] = 17,
    dynamo: Annotated[bool, typer.Option(help="Export by torch.export instead of by tracing.")] = False,
) -> None:
    """Train the network for some minutes on one core, and export it."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    model = encoder(width, heads, layers, norm_first)
    x, y = (torch.from_numpy(part) for part in images(data, "train"))
    steps = epochs * -(-len(x) // 128)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    start = time.process_time()
    for epoch in range(epochs):
        for index in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[index]), y[index]).backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {epochs}, {time.process_time() - start:.0f} CPU s", flush=True)
    model.eval()
    test_x, test_y = (torch.from_numpy(part) for part in images(data, "test"))
    with torch.no_grad():
        print(f"{100 * (model(test_x).argmax(1) == test_y).float().mean():.2f} % of the test images")
    torch.onnx.export(model, (x[:1],), onnx, opset_version=opset, dynamo=dynamo, external_data=False)


if __name__ == "__main__":
    app()
