"""Do doctor and compile agree? Every board and every model: what the one says beforehand, what comes of the other.

    python bench/doctor_agrees.py --models models --json agrees.json
    python bench/doctor_agrees.py --only mlp --boards ulx3s

Models are those of a folder ($NARROWS_DATA/models) and networks with made-up weights of many shapes. A model fits a
board by `narrows doctor` if nothing is to be changed; it does by `narrows compile` if quantising on made-up samples and
compiling end in a program (without the check of sizes that compile makes first, which is doctor's). Quantised graphs
are shared by boards of the same widths. Exit status 1 if the two disagree anywhere.
"""

from __future__ import annotations

import functools
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import made_models
import numpy as np
import typer
from narrows.boards.catalogue import BOARDS
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.cli.output import progress_bar
from narrows.sw.compile import compile_graph
from narrows.sw.costs.diagnose import diagnose
from narrows.sw.costs.examine import examine
from narrows.sw.errors import NarrowsError
from narrows.sw.frontend import load_model
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from rich.console import Console
from rich.table import Table

SHARED = Path(os.environ.get("NARROWS_DATA", "."))
_SAMPLES = 16
_WIDTHS = ("base", "acc_bits", "rescale_bits", "bias_bits", "planes", "tables")
"""Parameters of a core that quantisation respects."""

MADE: dict[str, Callable[[Path], Path]] = {
    "mlp small": lambda path: made_models.mlp(path, (64, 96, 48, 10)),
    "mlp wide": lambda path: made_models.mlp(path, (640, 384, 128, 10)),
    "mlp narrow and deep": lambda path: made_models.mlp(path, (32, *[48] * 20, 4)),
    "cnn small": lambda path: made_models.cnn(path, 32, (8, 16, 32)),
    "cnn average": lambda path: made_models.cnn(path, 32, (8, 16, 32), pool="AveragePool"),
    "cnn strided": lambda path: made_models.cnn(path, 32, (16, 32, 64), pool=""),
    "cnn large image": lambda path: made_models.cnn(path, 96, (8, 16, 32, 32), pool=""),
    "cnn functions": lambda path: made_models.cnn(path, 24, (8, 16), act="Silu", pool=""),
    "cnn odd channels": lambda path: made_models.cnn(path, 21, (7, 13, 29), pool="", classes=3),
    "depthwise": lambda path: made_models.depthwise(path, 64, (16, 16, 32, 32, 64, 64)),
    "depthwise large": lambda path: made_models.depthwise(path, 96, (16, 32, 64, 64, 128, 128)),
    "chain": lambda path: made_models.chain(path, 16, 16, 12),
    "chain long": lambda path: made_models.chain(path, 8, 8, 40),
    "enlarger": lambda path: made_models.enlarger(path, 64),
    "enlarger small": lambda path: made_models.enlarger(path, 16),
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What doctor and compile say of a model on a board; lines are empty where there is nothing to say."""

    model: str
    board: str
    doctor: str
    compile: str

    @property
    def agree(self) -> bool:
        """Whether both take it or both refuse it."""
        return bool(self.doctor) == bool(self.compile)


def verdicts(name: str, path: Path, boards: dict[str, AcceleratorConfig], samples: int = _SAMPLES) -> list[Verdict]:
    """Both verdicts on a model for boards."""
    examined = examine(path)

    @functools.cache
    def quantised(*widths: object) -> QuantisedGraph | str:
        config = AcceleratorConfig(**dict(zip(_WIDTHS, widths, strict=True)))  # pyright: ignore[reportArgumentType]
        try:
            graph = load_model(path)
            x = _samples(graph.input.shape, samples)
            return quantise(graph, x, QuantSettings(weights=config.weight_format, acts=config.act_format), config)
        except NarrowsError as error:
            return str(error)

    found = []
    for board, config in boards.items():
        settings = QuantSettings(weights=config.weight_format, acts=config.act_format)
        changes = diagnose(examined, config, settings).changes
        graph = quantised(*(getattr(config, width) for width in _WIDTHS))
        complaint = graph if isinstance(graph, str) else ""
        if not isinstance(graph, str):
            try:
                compile_graph(graph, config)
            except NarrowsError as error:
                complaint = str(error)
        found.append(Verdict(model=name, board=board, doctor="; ".join(changes), compile=complaint))
    return found


def _samples(shape: tuple[int, ...], count: int) -> np.ndarray:
    """Images of bytes where a model takes images, else noise."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, *shape)) if len(shape) == 3 else rng.normal(0, 1, (count, *shape))


def main(
    models: Annotated[Path, typer.Option(help="Folder of models.")] = SHARED / "models",
    only: Annotated[list[str] | None, typer.Option(help="Only models whose names hold this; repeat for more.")] = None,
    boards: Annotated[list[str] | None, typer.Option(help="Only these boards; repeat for more.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the verdicts.")] = None,
) -> None:
    """Compare doctor with compile."""
    cores = {name: board.config for name, board in BOARDS.items() if not boards or name in boards}
    console, found = Console(), []
    with tempfile.TemporaryDirectory() as folder, progress_bar("models") as progress:
        files = {path.name: path for path in sorted([*models.glob("*.onnx"), *models.glob("*.tflite")])}
        names = [name for name in (*files, *MADE) if not only or any(part in name for part in only)]
        for number, name in enumerate(names):
            progress(number, len(names), name)
            start = time.process_time()
            path = files.get(name) or MADE[name](Path(folder) / f"made_{number}.onnx")
            found += verdicts(name, path, cores)
            console.print(f"{name}: {time.process_time() - start:.0f} CPU s", markup=False)
    table = Table(title=f"{len(found)} pairs: fits (+), does not (-), disagreements spelt out")
    table.add_column("model", overflow="fold")
    for board in cores:
        table.add_column(board)
    for name in names:
        row = [one for one in found if one.model == name]
        table.add_row(name, *(("-" if one.doctor else "+") if one.agree else "DISAGREE" for one in row))
    console.print(table)
    apart = [one for one in found if not one.agree]
    for one in apart:
        console.print(f"{one.model} on {one.board}: doctor {one.doctor or 'takes it'} | compile {one.compile or 'too'}")
    console.print(f"{len(apart)} disagreements in {len(found)} pairs of {len(names)} models and {len(cores)} boards")
    write_json(json_file, [asdict(one) | {"agree": one.agree} for one in found])
    if apart:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
