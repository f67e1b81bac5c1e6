"""What arrays and rescalers cost by base format, shape and widths: the table that `narrows search` prices cores with.

    python bench/array_costs.py

synthesises every point for ECP5 and writes `sw/costs/arrays.json`: this project's array in each base format and each
pair with narrower weights, the array of plain 8-bit integers that it is compared with (all three ways of
writing it; the search takes the cheapest), and a rescaler with its encoder. Finished runs are kept in `build/bench`,
as those of `bench/mac.py` are. Some forty minutes on one core.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from hardware.cases import BASES, NARROW, Case
from hardware.flow import Flow, tool_versions
from hardware.measure import Design, measure
from narrows.sw.results import write_text
from rich.console import Console
from rich.progress import track

_ROOT = Path(__file__).resolve().parents[1]
_SHAPES = ((2, 2, 16, 16), (2, 2, 16, 24), (2, 2, 4, 12), (4, 4, 4, 16), (1, 2, 8, 20))
"""Rows, columns, lanes and accumulator bits of each base's array."""

_MORE = {"dybit4": ((2, 2, 16, 12), (2, 2, 16, 20), (2, 2, 16, 32), (4, 4, 16, 16))}
_RESCALERS = ((12, 4), (12, 8), (16, 4), (16, 8), (16, 16), (20, 4), (20, 8), (24, 4), (24, 8))
"""Accumulator and multiplicand bits."""


def main(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the table goes.")] = _ROOT
    / "sw/costs/arrays.json",
    cache: Annotated[Path, typer.Option(help="Finished runs.")] = _ROOT / "build" / "bench",
) -> None:
    """Synthesise all points and write the table."""
    flow, target = Flow(cache), "ecp5"
    points = [_point(case, flow, target) for case in track(list(_cases()), "synthesis", console=Console(stderr=True))]
    table = {
        "source": "python bench/array_costs.py",
        "tools": tool_versions(),
        "target": target,
        "counted": "LUT4 and two for every CCU2C, registers at the inputs, nothing placed",
        "points": points,
    }
    lines = json.dumps(table, indent=1).replace("\n   ", " ").replace("\n  }", " }")
    write_text(output, lines + "\n")


def _cases() -> Iterator[Case]:
    for base in (*BASES, *NARROW):
        for rows, columns, lanes, acc_bits in (*_SHAPES, *_MORE.get(base, ())):
            yield Case(unit=base, rows=rows, columns=columns, lanes=lanes, acc_bits=acc_bits, tree_stage=2)
    for way in ("int8-dot", "int8-dot-reg", "int8-dot-booth"):
        yield Case(unit=way, rows=2, columns=2, lanes=16, acc_bits=20, tree_stage=2)
    for acc_bits, rescale_bits in _RESCALERS:
        yield Case(unit="rescaler", acc_bits=acc_bits, rescale_bits=rescale_bits)


def _point(case: Case, flow: Flow, target: str) -> dict[str, Any]:
    row = measure(Design.of(case, target), flow)
    shape = {"rows": case.rows, "columns": case.columns, "lanes": case.lanes} if case.macs else {}
    widths = {"acc_bits": case.acc_bits} | ({"rescale_bits": case.rescale_bits} if case.rescale_bits else {})
    return {"unit": case.unit, **shape, **widths, "lut": row.lut}


if __name__ == "__main__":
    typer.run(main)
