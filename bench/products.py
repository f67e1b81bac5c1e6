"""Products of two tensors: cycles of a layer, and the part of the array that does useful work, by shape and format.

    python bench/products.py
    python bench/products.py --config 8x8x16:8 --json products.json

A configuration is ROWSxCOLUMNSxLANES:RESCALERS. Cycles are those of the cycle model, which the simulated core matches
exactly (`tests/sim/cosim/test_product_programs.py`), from the last write of the layer before to the layer's own. Both
tensors are symmetric: a zero level other than 0 of the one that is held costs a step of plain weights for each digit
pair, of the other one a step behind each product.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from narrows.hw.spec.certificate import signed_bits
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Format, parse_format
from narrows.sw.compile import compile_graph
from narrows.sw.costs.work import layer_work, utilisation
from narrows.sw.integer.segments import sum_bounds
from narrows.sw.outputs import Output
from narrows.sw.quantised import HeldSegment, InputSpec, MacLayer, QuantisedGraph, QuantisedTensor, Segment
from narrows.sw.results import write_json
from rich.console import Console
from rich.table import Table

_ROOMY = AcceleratorConfig(acc_bits=24, rescale_bits=8, act_words=16384, weight_words=8192, blocks=512, dynamic=1)
CASES = {
    "matrix, 64 x 64 of 64": ((64, 1, 64), False),
    "matrix, 16 x 16 of 64": ((64, 1, 16), False),
    "by channel, 64 x 16 x 16": ((64, 16, 16), True),
    "elementwise, 64 x 16 x 16": ((64, 16, 16), False),
}
"""Shape of the source, and whether one pixel stands for all, by what is multiplied."""


def parse_config(text: str) -> AcceleratorConfig:
    """Configuration of a text such as ``4x4x16:4``, with roomy memories."""
    shape, _, rescalers = text.partition(":")
    rows, columns, lanes = map(int, shape.split("x"))
    return replace(_ROOMY, rows=rows, columns=columns, lanes=lanes, rescalers=int(rescalers))


def graph_of(name: str, fmt: Format, config: AcceleratorConfig) -> QuantisedGraph:
    """A graph of two layers: what makes the second tensor of the input, and the product."""
    shape, one = CASES[name]
    matrix = name.startswith("matrix")
    pixels = (1, 1) if one else shape[1:]
    outputs = (shape[1] * shape[2] if matrix else shape[0], *shape[1:])
    shapes = {"x": shape, "w": (shape[0], *pixels), "y": outputs}
    tensors = {
        key: QuantisedTensor(name=key, shape=size, format=fmt, scale=1.0, zero=0, low=fmt.bottom, high=fmt.top)
        for key, size in shapes.items()
    }
    kernel = shape[1:] if one else (1, 1)
    copied = Segment(source="x", weights=np.ones((shape[0], 1, *kernel), dtype=np.int64), depthwise=True)
    weights = HeldSegment.blank(shape, shapes["w"], depthwise=not matrix)
    product = HeldSegment(source="x", held="w", weights=weights, depthwise=not matrix)

    def layer(segment: Segment, output: str) -> MacLayer:
        channels = shapes[output][0]
        return MacLayer(
            name=output,
            segments=(segment,),
            bias=np.zeros(channels, dtype=np.int64),
            multiplicand=np.full(channels, 1 << (config.rescale_bits - 1)),
            shift=np.full(channels, config.rescale_bits),
            cert_bits=signed_bits(*sum_bounds((segment,), tensors)),
            output=output,
        )

    return QuantisedGraph(
        name=name,
        tensors=tensors,
        input=InputSpec(tensor="x", shape=shape),
        layers=(layer(copied, "w"), layer(product, "y")),
        outputs=(Output.whole("y", outputs),),
    )


def measure(name: str, fmt: Format, config: AcceleratorConfig) -> dict[str, Any]:
    """Cycles, steps and use of one product."""
    program = compile_graph(graph_of(name, fmt, config), config)
    work = layer_work(program)[-1]
    return {
        "product": name,
        "format": fmt.name,
        "cycles": work.cycles,
        "steps": work.busy,
        "products": work.macs,
        "useful": utilisation(work.macs, work.cycles, config.macs),
    }


def main(
    config: Annotated[str, typer.Option(help="ROWSxCOLUMNSxLANES:RESCALERS")] = "4x4x16:4",
    formats: Annotated[str, typer.Option(help="Formats of all three tensors, with commas.")] = "dybit4,int8",
    json: Annotated[Path | None, typer.Option(help="Where the rows go, too.")] = None,
) -> None:
    """Measure all products in some formats."""
    core = parse_config(config)
    rows = [measure(name, parse_format(fmt), core) for fmt in formats.split(",") for name in CASES]
    table = Table("product", "format", "cycles", "steps", "useful")
    for row in rows:
        table.add_row(
            row["product"], row["format"], f"{row['cycles']:,}", f"{row['steps']:,}", f"{100 * row['useful']:.1f} %"
        )
    Console().print(table)
    if json is not None:
        write_json(json, rows)


if __name__ == "__main__":
    typer.run(main)
