"""How busy the array is: useful multiplications, cycles, what they are lost to, and the bound, layer by layer.

    python bench/utilisation.py --models models --data data --json utilisation.json
    python bench/utilisation.py --only dscnn --config 16x4x4:4x2

Utilisation is the multiplications with trained weights over multiply-accumulate units times cycles, weights on chip,
from the start of a run to its end; digits of wide operands, identities and averages are no useful work. Formats are
W4A4 (DyBit) with 8-bit inputs. A configuration is ROWSxCOLUMNSxLANES:RESCALERS, with xDRAIN_ROWS behind it if that is
2 or 4. Cycles are those of the cycle model, which the simulated core matches exactly; `sw/costs/bounds.py` says what
the bound is.
"""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from imports import CASES
from layer_rows import layer_rows
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.compile import compile_graph
from narrows.sw.costs.timeline import timeline
from narrows.sw.costs.work import useful_macs, utilisation
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.layers import Mac
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

_SHARED = Path(os.environ.get("NARROWS_DATA", "."))
_ROOMY = AcceleratorConfig(acc_bits=20, act_words=32768, weight_words=32768, param_words=2048, taps=1024, blocks=512)
_CALIBRATION = 64
CONFIGS = ("4x4x16:4", "16x4x4:4", "16x4x4:4x2")


def parse_config(text: str) -> AcceleratorConfig:
    """Configuration of a text such as ``16x4x4:4x2``, with memories that hold both models."""
    shape, _, drain = text.partition(":")
    rows, columns, lanes = map(int, shape.split("x"))
    rescalers, _, drain_rows = drain.partition("x")
    return replace(
        _ROOMY,
        rows=rows,
        columns=columns,
        lanes=lanes,
        rescalers=int(rescalers),
        drain_rows=int(drain_rows or 1),
    )


def measure(graph: Graph, samples: NDArray, config: AcceleratorConfig, input_bits: int) -> dict[str, Any]:
    """Cycles and bounds of a model on a configuration."""
    program = compile_graph(quantise(graph, samples, QuantSettings(input_bits=input_bits), config), config)
    cycles = timeline(program).cycles
    macs = useful_macs(graph)
    return {
        "cycles": cycles,
        "macs": macs,
        "utilisation": utilisation(macs, cycles, config.macs),
        "layers": layer_rows(program),
    }


def float_weights(graph: Graph) -> Graph:
    """The graph without the steps of weights that came quantised, so that they take the format asked for."""
    layers = [
        replace(layer, terms=tuple(replace(term, step=None) for term in layer.terms))
        if isinstance(layer, Mac)
        else layer
        for layer in graph.layers
    ]
    return replace(graph, layers=tuple(layers), grids={})


def calibration(name: str, data: Path) -> NDArray:
    """Samples as the model takes them."""
    return CASES[name][1](data).calibration[:_CALIBRATION].astype(np.float32)


def main(
    models: Annotated[Path, typer.Option(help="folder of the models")] = _SHARED / "models",
    data: Annotated[Path, typer.Option(help="folder of their data")] = _SHARED / "data",
    only: Annotated[list[str], typer.Option(help=f"{', '.join(CASES)}; may be repeated")] = list(CASES),  # noqa: B006
    config: Annotated[list[str], typer.Option(help="configuration, may be repeated")] = list(CONFIGS),  # noqa: B006
    input_bits: Annotated[int, typer.Option(help="bits of the input's values")] = 8,
    output: Annotated[Path | None, typer.Option("--json", help="file for the figures")] = None,
) -> None:
    """Print a table for each model and configuration."""
    console, rows = Console(), []
    for name in only:
        graph = float_weights(lower(load_model(models / CASES[name][0])))
        samples = calibration(name, data)
        for text in config:
            row = {"model": name, "config": text, **measure(graph, samples, parse_config(text), input_bits)}
            rows.append(row | {"parameters": asdict(parse_config(text))})
            console.print(_table(row))
    write_json(output, rows)


def _table(row: dict[str, Any]) -> Table:
    title = f"{row['model']} on {row['config']}: {row['cycles']:,} cycles, utilisation {row['utilisation']:.1%}"
    table = Table(title=title)
    for column in ("layer", "useful", "cycles", "busy", "drain", "walk", "other", "bound", "of bound", "utilisation"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for layer in row["layers"]:
        numbers = [
            layer[key] for key in ("macs", "cycles", "busy", "stall_drain", "stall_walk", "fill_and_drain", "bound")
        ]
        shares = [f"{layer[key]:.1%}" for key in ("of_bound", "utilisation")]
        table.add_row(layer["layer"], *(f"{number:,}" for number in numbers), *shares)
    return table


if __name__ == "__main__":
    typer.run(main)
