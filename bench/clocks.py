"""Clocks of the boards: each placed with several seeds, and what ResNet-8 takes at the median.

    python bench/clocks.py --json clocks.json
    python bench/clocks.py --board ulx3s --seed 1 --seed 2 --builds builds

Every board is placed as `narrows board build NAME --seed N` places it. What was placed before is read again from
--builds, as long as the board's design is the same to the byte. A row's ``fmax_mhz`` is the median of its seeds,
``lut`` are logic cells of the median placement, core and board's top together, ``resnet8_cycles`` those of the trained
program of `quantisation/zoo` compiled for the board's core, by the cycle model, and ``latency_ms`` these at the board's
clock, or at the median where that is slower.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import statistics
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from mlperf_tiny import CELLS, TRAINED
from narrows.boards.board import Board
from narrows.boards.catalogue import BOARDS
from narrows.boards.placing import REPORT, place, placing_inputs, run_step
from narrows.boards.plan import BoardPlan, plan_board
from narrows.sw.compile import compile_graph
from narrows.sw.costs.timeline import timeline
from narrows.sw.errors import CapacityError
from narrows.sw.files import write_whole
from narrows.sw.program import Program
from narrows.sw.results import write_json
from narrows.sw.tasks import HERE, Workers, open_workers
from narrows.sw.toolchain.placement import Placement, read_report
from narrows.sw.toolchain.programs import ToolFailed
from rich.console import Console
from rich.table import Table

SEEDS = (1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A board's clocks; ``seeds`` gives each seed's, ``grade`` the FPGA's speed grade, if it has several."""

    board: str
    grade: str
    units: int
    fmax_mhz: float
    seeds: dict[int, float]
    lut: int
    lut_per_unit: float
    dsp: int
    resnet8_cycles: int | None
    latency_ms: float | None


def main(
    board: Annotated[list[str] | None, typer.Option(help="Only this board; repeat for more.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="This seed; repeat for more. 1, 2 and 3 without.")] = None,
    builds: Annotated[Path, typer.Option(help="Folder of placements.")] = Path("build/clocks"),
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Placements at once on this machine.")] = 1,
    cluster: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="Place on the workers of this Dask scheduler.")
    ] = None,
) -> None:
    """Place, measure and print."""
    chosen = [BOARDS[name] for name in board or BOARDS if not BOARDS[name].vendor_only]
    rows = []
    with open_workers(cluster, jobs) as workers:
        for each in chosen:
            rows.append(row(each, placed(each, tuple(seed or SEEDS), builds, workers)))
            if json_file:  # after every board: the last ones take long
                write_json(json_file, {"rows": [asdict(found) for found in rows]})
    _show(rows)


def placed(board: Board, seeds: tuple[int, ...], builds: Path, workers: Workers = HERE) -> dict[int, Placement]:
    """Placements of a board by seed, those that are missing made."""
    plan = plan_board(board)
    folder = builds / f"{board.name}-{_digest(plan)}"
    plan.extract(folder)
    kept = {number: folder / f"seed{number}.report.json" for number in seeds}
    missing = [number for number in seeds if not kept[number].exists()]
    if missing and not (folder / "synthesised").exists():
        _say(board, plan.commands[0][0])
        run_step(plan.commands[0], folder)
        write_whole(folder / "synthesised", b"")
    tasks = [(plan.place_and_route(number), plan.commands[2]) for number in missing]
    if missing:
        _say(board, f"{plan.commands[1][0]}, seeds {', '.join(map(str, missing))}")
    for number, found in workers.run(place, placing_inputs(plan, folder) if missing else {}, tasks):
        if found.failure:
            found.extract(folder)
            raise ToolFailed(f"{found.failure} in {folder}")
        write_whole(kept[missing[number]], zlib.decompress(found.files[REPORT]))
    return {number: read_report(path) for number, path in kept.items()}


def row(board: Board, placements: dict[int, Placement]) -> Row:
    """What the placements of a board come to."""
    clocks = {number: placement.fmax_mhz for number, placement in placements.items()}
    median = statistics.median(clocks.values())
    near = min(placements.values(), key=lambda placement: abs(placement.fmax_mhz - median))
    cells = {kind: sum(near.used.get(cell, 0) for cell in names) for kind, names in CELLS.items()}
    cycles = resnet8_cycles(board)
    return Row(
        board=board.name,
        grade=grade(board.device),
        units=board.config.macs,
        fmax_mhz=median,
        seeds=clocks,
        lut=cells["lut"],
        lut_per_unit=cells["lut"] / board.config.macs,
        dsp=cells["dsp"],
        resnet8_cycles=cycles,
        latency_ms=None if cycles is None else cycles / min(median, board.clock_mhz) / 1e3,
    )


def resnet8_cycles(board: Board) -> int | None:
    """Cycles of the trained ResNet-8 on a board's core; None where it does not fit."""
    graph = Program.load(TRAINED["resnet8"]).graph
    try:
        program = compile_graph(graph, dataclasses.replace(board.config, host="axi"))  # the port changes no cycle
    except CapacityError:
        return None
    return timeline(program).cycles


def grade(device: str) -> str:
    """Speed grade in a device's name: the digit behind an ECP5's dash, what ends a Gowin's; an iCE40UP5K has one."""
    ecp5, gowin = re.match(r"LFE5\w+-\d+F-(\d)", device), re.search(r"[CI]\d/I\d$", device)
    return ecp5[1] if ecp5 else gowin[0] if gowin else ""


def _digest(plan: BoardPlan) -> str:
    text = hashlib.sha256(repr(plan.commands).encode())
    for name, content in sorted(plan.files.items()):
        text.update(name.encode() + b"\0" + (content if isinstance(content, bytes) else content.encode()))
    return text.hexdigest()[:12]


def _say(board: Board, what: str) -> None:
    Console(stderr=True).print(f"{board.name}: {what}", highlight=False)


def _show(rows: list[Row]) -> None:
    table = Table(title="clocks of the boards")
    for title in ("board", "grade", "units", "MHz", "seeds", "LUT4", "a unit", "DSP", "ResNet-8 cycles", "ms"):
        table.add_column(title, justify="left" if title == "board" else "right")
    for each in rows:
        cycles = "" if each.resnet8_cycles is None else f"{each.resnet8_cycles:,}"
        latency = "" if each.latency_ms is None else f"{each.latency_ms:.3f}"
        seeds = ", ".join(f"{clock:.1f}" for clock in each.seeds.values())
        counts = (f"{each.lut:,}", f"{each.lut_per_unit:.1f}", f"{each.dsp}")
        clocks = (f"{each.fmax_mhz:.1f}", seeds)
        table.add_row(each.board, each.grade, f"{each.units:,}", *clocks, *counts, cycles, latency)
    Console(width=150).print(table)


if __name__ == "__main__":
    typer.run(main)
