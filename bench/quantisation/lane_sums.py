"""How wide the sums of one step get: would a second, narrower certificate of the adder tree pay?

    python bench/quantisation/lane_sums.py bench/quantisation/zoo/*.nrw --json lane_sums.json

A step adds `lanes` products before they reach an accumulator. AXE (arXiv 2409.17092) certifies such inner sums, too, so
that their adders may be narrower. For every layer of a program this gives the bits that its inner sums need whatever
the input is (digits of wide operands may be any code of the base), beside those that the tree has.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from narrows.hw.spec.certificate import signed_bits
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.program import Program
from narrows.sw.quantised import HeldSegment, MacLayer, QuantisedGraph, Segment
from narrows.sw.results import write_json
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Row:
    """A layer: bits of its largest inner sum, with a sign; bits of the tree's sums, with theirs."""

    program: str
    layer: str
    bits: int
    tree_bits: int


def main(
    programs: Annotated[list[Path], typer.Argument(help="Programs (.nrw).")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Print the layer that needs most of each program, and how many layers need how much."""
    rows = []
    table = Table(title="bits of the sum of a step's products")
    for title in ("program", "P", "tree", "layers by bits"):
        table.add_column(title, justify="right" if title in ("P", "tree") else "left")
    for path in programs:
        program = Program.load(path)
        config, graph = program.config, program.graph
        tree = config.product_bits + (config.lanes - 1).bit_length() + 1
        layers = [layer for layer in graph.layers if isinstance(layer, MacLayer)]
        own = [
            Row(program=path.name, layer=layer.name, bits=layer_bits(layer, graph, config), tree_bits=tree)
            for layer in layers
        ]
        counted = np.bincount([row.bits for row in own])
        shown = ", ".join(f"{bits}: {count}" for bits, count in enumerate(counted) if count)
        table.add_row(path.name, str(config.acc_bits), str(tree), shown)
        rows += own
    Console(width=110).print(table)
    write_json(json_file, {"rows": [dataclasses.asdict(row) for row in rows]})


def layer_bits(layer: MacLayer, graph: QuantisedGraph, config: AcceleratorConfig) -> int:
    """Bits of two's complement that hold every inner sum of a layer, on any input."""
    low = high = 0
    for segment in layer.segments:
        if isinstance(segment, HeldSegment):
            continue
        least, most = _code_range(segment, graph, config)
        for plane in _planes(segment, config):
            groups = [plane[:, first : first + config.lanes] for first in range(0, plane.shape[1], config.lanes)]
            for group in groups:
                above, below = group.clip(min=0).sum(axis=1), group.clip(max=0).sum(axis=1)
                high = max(high, int((above * most + below * least).max()))
                low = min(low, int((above * least + below * most).min()))
    return signed_bits(low, high)


def _code_range(segment: Segment, graph: QuantisedGraph, config: AcceleratorConfig) -> tuple[int, int]:
    """Levels that a code of a segment's source may stand for."""
    tensor = graph.tensors[segment.source]
    if config.digits.count(tensor.levels) == 1:
        return min(tensor.low, tensor.zero), max(tensor.high, tensor.zero)
    return int(config.digits.base.bottom), int(config.digits.base.top)


def _planes(segment: Segment, config: AcceleratorConfig) -> list[np.ndarray]:
    """Levels of each digit of a segment's weights."""
    digits = config.weight_digits
    codes = digits.fewest_codes(segment.weights)
    return [digits.from_planes(plane[np.newaxis]) for plane in codes if plane.any()]


if __name__ == "__main__":
    typer.run(main)
