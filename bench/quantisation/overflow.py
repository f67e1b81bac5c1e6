"""Attacks every channel of programs: looks for an input whose sums leave the accumulator. There is none.

    python bench/quantisation/overflow.py bench/quantisation/zoo/*.nrw --json overflow.json

Two attacks on each channel of each layer. The direct one gives every weight the level that is worst for it, which no
image may lead to: it bounds what any input can do, and has to stay inside. The climbing one starts from random images
and changes, again and again, one image's values that the channel's sum depends on, keeping what makes it larger: it
shows how much of the bound inputs do use.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from narrows.hw.spec.semantics import accumulate
from narrows.sim.golden import GoldenModel
from narrows.sw.program import Program
from narrows.sw.quantised import MacLayer, QuantisedGraph
from narrows.sw.results import write_json
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from wrapping import largest_sums


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What attacks found in one layer: largest absolute sums as a part of what the accumulator holds."""

    program: str
    layer: str
    channels: int
    acc_bits: int
    cert_bits: int
    worst: float
    climbed: float

    @property
    def overflows(self) -> bool:
        """Whether a sum left the accumulator."""
        return max(self.worst, self.climbed) > 1


def main(
    programs: Annotated[list[Path], typer.Argument(help="Programs (.nrw).")],
    rounds: Annotated[int, typer.Option(help="Rounds of the climbing attack.")] = 20,
    population: Annotated[int, typer.Option(help="Images that climb at once.")] = 32,
    seed: Annotated[int, typer.Option()] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write what was found.")] = None,
) -> None:
    """Attack all channels of all programs; exit status 1 if a sum overflows."""
    found: list[Attack] = []
    for path in track(programs, "attacking", console=Console(stderr=True)):
        program = Program.load(path)
        limit = 1 << (program.config.acc_bits - 1)
        climbed = _climb(program, rounds, population, np.random.default_rng(seed))
        for layer in program.graph.layers:
            if isinstance(layer, MacLayer):
                smallest, largest = largest_sums(program.graph, layer)
                found.append(
                    Attack(
                        program=path.name,
                        layer=layer.name,
                        channels=len(layer.bias),
                        acc_bits=program.config.acc_bits,
                        cert_bits=layer.cert_bits,
                        worst=_part(smallest, largest, limit),
                        climbed=_part(*climbed[layer.name], limit),
                    )
                )
    table = Table(title=f"Largest sums, of what P bits hold (seed {seed})")
    for name in ("program", "layer", "channels", "P", "certificate", "direct", "climbed"):
        table.add_column(name, justify="left" if name in ("program", "layer") else "right")
    for each in found:
        numbers = each.channels, each.acc_bits, each.cert_bits
        shares = (f"{100 * share:.1f} %" for share in (each.worst, each.climbed))
        table.add_row(each.program, each.layer, *map(str, numbers), *shares)
    Console().print(table)
    write_json(json_file, [dataclasses.asdict(each) for each in found])
    if any(each.overflows for each in found):
        raise typer.Exit(1)


def _part(smallest: NDArray, largest: NDArray, limit: int) -> float:
    """1 is the edge: ``-limit`` and ``limit - 1`` are the last sums that fit."""
    return float(max(-smallest.min() / limit, largest.max() / (limit - 1)))


def _climb(
    program: Program, rounds: int, population: int, rng: np.random.Generator
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Smallest and largest sums of each layer's channels over images that evolve towards larger ones.

    Every round attacks one channel of each layer in turn: the images with its largest sums stay, the others become
    copies of them in which rectangles are overwritten with random or extreme levels. The golden model, which asserts
    every width, runs all of them.
    """
    graph = program.graph
    golden, tensor = GoldenModel(graph, program.config), graph.tensors[graph.input.tensor]
    levels = tensor.format.levels
    levels = levels[(levels >= tensor.low) & (levels <= tensor.high)]
    layers = [layer for layer in graph.layers if isinstance(layer, MacLayer)]
    ends: dict[str, tuple[NDArray, NDArray]] = {}
    for target in layers:
        images = rng.choice(levels, (population, *tensor.shape))
        channel, sign = int(rng.integers(len(target.bias))), int(rng.choice((-1, 1)))
        for _ in range(rounds):
            tensors = golden.run(images)
            for layer in layers:
                sums = _sums(graph, layer, tensors)
                low, high = sums.min(axis=(0, 2, 3)), sums.max(axis=(0, 2, 3))
                before = ends.get(layer.name, (low, high))
                ends[layer.name] = np.minimum(low, before[0]), np.maximum(high, before[1])
            fitness = (sign * _sums(graph, target, tensors)[:, channel]).max(axis=(1, 2))
            best = images[np.argsort(-fitness)[: population // 4]]
            images = np.concatenate([best, *(_changed(best, levels, rng) for _ in range(3))])
    return ends


def _sums(graph: QuantisedGraph, layer: MacLayer, tensors: dict[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    parts = [accumulate(tensors[s.source], graph.tensors[s.source].zero, s) for s in layer.segments]
    return np.sum(parts, axis=0)


def _changed(images: NDArray[np.int64], levels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    result = images.copy()
    for image in result:
        top, left = (int(rng.integers(size)) for size in image.shape[1:])
        part = image[:, top : top + int(rng.integers(1, 9)), left : left + int(rng.integers(1, 9))]
        part[:] = rng.choice((levels[0], levels[-1])) if rng.random() < 0.5 else rng.choice(levels, part.shape)
    return result


if __name__ == "__main__":
    typer.run(main)
