"""Useful multiplications a cycle with 8-bit activations, in hard multipliers: weights of 4 bits and of 8.

    python bench/byte_activations.py --models models --json bytes.json

ResNet-8 with blank weights (`sw/costs/sketch.py`) on cores whose units take 8-bit activations and weights of up to 5
bits in one pass, so that 8-bit weights take two: that of the board `ulx3s-bytes`, and the same with six rows, 12 of 16
lanes in hard multipliers and two rows drained. ``macs_per_cycle`` are multiplications with trained weights over the
cycles of a whole run by the cycle model, ``utilisation`` their share of one a unit and cycle. ``dsp`` are the array's
hard multipliers (an LFE5U-85F has 156). ``lut_estimate`` is that of `sw/costs/cells.py`, to which no core with hard
multipliers was fitted: it takes a unit for one of DyBit4 in look-up tables.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from narrows.boards.catalogue import BOARDS
from narrows.hw.array.hard_multiplier import products_together
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.costs.cells import estimate_cells
from narrows.sw.costs.estimate import estimate
from narrows.sw.costs.timeline import timeline
from narrows.sw.costs.work import useful_macs, utilisation
from narrows.sw.errors import CapacityError
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings
from narrows.sw.results import write_json
from rich.console import Console
from rich.table import Table

_SHARED = Path(os.environ.get("NARROWS_DATA", "."))
_BOARD = BOARDS["ulx3s-bytes"].config
CONFIGS = {
    "ulx3s-bytes": _BOARD,
    "6x4x16": dataclasses.replace(_BOARD, rows=6, dsp_lanes=12, drain_rows=2),
}
FORMATS = {"W4A8": QuantSettings(weights="int4", acts="int8"), "W8A8": QuantSettings(weights="int8", acts="int8")}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model on a core: ``formats`` names those of weights and activations."""

    config: str
    formats: str
    macs_per_cycle: float
    utilisation: float
    cycles: int
    lut_estimate: int
    dsp: int


def main(
    models: Annotated[Path, typer.Option(help="Folder of resnet8_float.onnx.")] = _SHARED / "models",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Measure and print."""
    graph = lower(load_model(models / "resnet8_float.onnx"))
    rows = [row(graph, config, formats) for config in CONFIGS for formats in FORMATS]
    write_json(json_file, {"rows": [asdict(each) for each in rows]})
    _show(rows)


def row(graph: Graph, config: str, formats: str) -> Row:
    """What a lowered model comes to on one of `CONFIGS` in some of `FORMATS`.

    Raises
    ------
    CapacityError
        If the model does not fit.
    """
    core = CONFIGS[config]
    found = estimate(graph, core, FORMATS[formats], only=True)
    if found.program is None:
        raise CapacityError(f"{graph.name} in {formats} on {config}: {'; '.join(found.problems)}")
    cycles, macs = timeline(found.program).cycles, useful_macs(graph)
    return Row(
        config=config,
        formats=formats,
        macs_per_cycle=macs / cycles,
        utilisation=utilisation(macs, cycles, core.macs),
        cycles=cycles,
        lut_estimate=estimate_cells(core).luts,
        dsp=hard_multipliers(core),
    )


def hard_multipliers(config: AcceleratorConfig) -> int:
    """Hard multipliers of an array: one for each group of neighbouring rows and columns in each lane that has them."""
    rows, columns = products_together(config)
    return config.dsp_lanes * -(-config.rows // rows) * -(-config.columns // columns)


def _show(rows: list[Row]) -> None:
    table = Table(title="ResNet-8 with 8-bit activations")
    for title in ("core", "formats", "MACs a cycle", "utilisation", "cycles", "LUT4 (estimate)", "DSP"):
        table.add_column(title, justify="left" if title in ("core", "formats") else "right")
    for each in rows:
        figures = (f"{each.macs_per_cycle:.1f}", f"{each.utilisation:.1%}", f"{each.cycles:,}")
        table.add_row(each.config, each.formats, *figures, f"{each.lut_estimate:,}", str(each.dsp))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
