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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.costs.work import layer_work, utilisation
from narrows.sw.engines import EngineName
from narrows.sw.frontend import load_model
from narrows.sw.listener import Quiet
from narrows.sw.onnx_sessions import exact_session
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from narrows.sw.runtime.tensors import prepare_input, restore_outputs
from narrows.sw.verify import compare_engines
from numpy.typing import NDArray
from rich.console import Console

SEED = 1
TOKENS, PIXELS, CLASSES = 28, 28, 10
CONFIG = AcceleratorConfig(
    acc_bits=28, rescale_bits=8, act_words=16384, weight_words=16384, param_words=2048, taps=512, blocks=512,
    instructions=128, tables=15, dynamic=1,
)  # fmt: skip
"""Of 4 x 4 x 16 units."""

_CALIBRATION = 128

_console = Console(highlight=False, soft_wrap=True)
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
        _console.print(f"epoch {epoch + 1} of {epochs}, {time.process_time() - start:.0f} CPU s")
    model.eval()
    test_x, test_y = (torch.from_numpy(part) for part in images(data, "test"))
    with torch.no_grad():
        _console.print(f"{100 * (model(test_x).argmax(1) == test_y).float().mean():.2f} % of the test images")
    torch.onnx.export(model, (x[:1],), onnx, opset_version=opset, dynamo=dynamo, external_data=False)


@dataclass(frozen=True, kw_only=True)
class Row:
    """The network in some formats. ``agreement`` is the share of images with the float network's answer; mismatches are
    tensors that differ from the golden model's, None where nothing was run; ``cycles`` are those of an image."""

    weights: str
    acts: str
    images: int
    float_accuracy: float
    accuracy: float
    agreement: float
    snr_db: float
    layers: int
    units: int
    cycles: int
    utilisation: float
    isa_images: int
    isa_mismatches: int | None
    rtl_images: int
    rtl_mismatches: int | None


@app.command()
def measure(
    onnx: Annotated[Path, typer.Argument(help="The network, as `train` writes it.")],
    data: Annotated[Path, typer.Option(help="MNIST as npz: x_train, y_train, x_test, y_test.")],
    formats: Annotated[
        str, typer.Option(help="Weights x activations, with commas.")
    ] = "int8xint8,int4xint8,dybit4xdybit4",
    samples: Annotated[int, typer.Option(min=1, help="Images of the test set.")] = 1000,
    isa: Annotated[int, typer.Option(min=0, help="Images on the model of the machine.")] = 2,
    rtl: Annotated[int, typer.Option(min=0, help="Images on the simulated Verilog, in the first formats.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Compile the network, and hold integers against floats and engines against each other."""
    x, y = images(data, "test")
    calibration, _ = images(data, "train")
    graph = load_model(onnx)
    session = exact_session(onnx)
    name = session.get_inputs()[0].name
    wanted = np.concatenate([session.run(None, {name: each[np.newaxis]})[0] for each in x[:samples]])
    rows = []
    for number, text in enumerate(formats.split(",")):
        weights, _, acts = text.partition("x")
        settings = QuantSettings(weights=weights, acts=acts)
        program = compile_graph(quantise(graph, calibration[:_CALIBRATION], settings, CONFIG), CONFIG)
        counts = (isa, rtl if number == 0 else 0)
        rows.append(_row(program, settings, x[:samples], y[:samples], wanted, counts))
        _show(rows[-1])
        if json_file:
            write_json(json_file, [asdict(row) for row in rows])


def _row(
    program: Program,
    settings: QuantSettings,
    x: NDArray,
    y: NDArray,
    wanted: NDArray,
    counts: tuple[int, int],
) -> Row:
    levels = prepare_input(program.graph, x)
    (found,) = restore_outputs(program.graph, GoldenModel(program.graph, CONFIG).run(levels)).values()
    answers, expected = found.argmax(axis=1), wanted.argmax(axis=1)
    work = layer_work(program)
    cycles = sum(each.cycles for each in work)
    wrong = [
        len(compare_engines(program, levels[:count], [engine], bar=Quiet().progress).mismatches) if count else None
        for engine, count in zip((EngineName.ISA, EngineName.RTL), counts, strict=True)
    ]
    return Row(
        weights=str(settings.weights),
        acts=str(settings.acts),
        images=len(x),
        float_accuracy=float((expected == y).mean()),
        accuracy=float((answers == y).mean()),
        agreement=float((answers == expected).mean()),
        snr_db=float(10 * np.log10(np.square(wanted).mean() / np.square(found - wanted).mean())),
        layers=len(program.graph.layers),
        units=CONFIG.macs,
        cycles=cycles,
        utilisation=utilisation(sum(each.macs for each in work), cycles, CONFIG.macs),
        isa_images=counts[0],
        isa_mismatches=wrong[0],
        rtl_images=counts[1],
        rtl_mismatches=wrong[1],
    )


def _show(row: Row) -> None:
    _console.print(
        f"{row.weights} x {row.acts}: {100 * row.accuracy:.2f} % right (float: {100 * row.float_accuracy:.2f} %), "
        f"{100 * row.agreement:.2f} % the float network's answers, {row.snr_db:.1f} dB, {row.layers} layers, "
        f"{row.cycles:,} cycles; tensors that differ: {row.isa_mismatches} on the ISA model ({row.isa_images} images), "
        f"{row.rtl_mismatches} in Verilog ({row.rtl_images})",
    )


if __name__ == "__main__":
    app()
