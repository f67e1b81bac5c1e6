"""write_report: everything that the report shows of a program, gathered, drawn and written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..extras import need
from ..results import writable_folder, write_text
from .inspection import inspected, spreads_of
from .pages import run_of
from .samples import SampleSource, samples_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...hw.spec.transfer_cycles import BusTiming
    from ..costs.timeline import Timeline
    from ..costs.work import LayerWork
    from ..program import Program as Compiled
    from ..report.board_fits import BoardCore
    from ..report.spread import Spread
    from .model import Model
    from .program import Program

__all__ = ["write_report"]

_MHZ = 100.0
_PACKAGES = ("numpy", "matplotlib", "amaranth", "onnxruntime")
"""What a page's figures come from, beside narrows."""


def write_report(
    program: Program,
    path: Path,
    *,
    board: str | os.PathLike[str] | None,
    mhz: float | None,
    bus: tuple[int, int],
    data: SampleSource | None,
    model: Model | None,
    beside: Program | None,
    command: str | None,
) -> dict[str, Any]:
    """Write the page, and give what it shows; arguments and errors are those of the API's `Program.report`."""
    writable_folder(path)
    need("matplotlib", "reports", "generator")
    from ...boards.catalogue import find_board
    from ..report.compared import compare
    from ..report.making import made_with
    from ..report.page import report_page

    if model is not None and data is None:
        raise InputError("the float model is shown on samples: give data, too")
    x, y = (None, None) if data is None else samples_of(data, program.graph.input.shape)
    clock = mhz or (_MHZ if board is None else find_board(board).clock_mhz)
    counted = _Counted.of(program.compiled, bus)
    summary = _summarised(program, counted, clock, x, y, model)
    drawn = _figures(program.compiled, counted, summary)
    if x is not None:
        count, found = spreads_of(program.compiled, x)
        summary["samples"] |= {"spread_samples": count, "tensors": _tensors(program.compiled, found)}
        drawn |= _sparks(found)
    summary["boards"] = _boards(program.compiled, summary["cycles"], bus, board)
    if beside is not None:
        other = _beside(beside, _Counted.of(beside.compiled, bus), clock, x, y, beside.model or model)
        summary["compared"] = compare(summary, other)
        drawn["compared"] = _cycles_beside(summary["compared"]["layers"])
    summary["made"] = made_with(_PACKAGES, command)
    write_text(path, report_page(summary, drawn))
    return summary


@dataclass(frozen=True)
class _Counted:
    """A program's run by the cycle model, on a bus, and what each layer does in it."""

    run: Timeline
    bus: BusTiming
    layers: list[LayerWork]

    @classmethod
    def of(cls, program: Compiled, bus: tuple[int, int]) -> _Counted:
        """Count a program's cycles."""
        from ..costs.work import layer_work

        run, timing = run_of(program, bus)
        return cls(run, timing, layer_work(program, run))


def _beside(
    program: Program,
    counted: _Counted,
    clock: float,
    x: NDArray[Any] | None,
    y: NDArray[Any] | None,
    model: Model | None,
) -> dict[str, Any]:
    """The same of the program to compare with, beside the float model if it was compiled from that one."""
    try:
        return _summarised(program, counted, clock, x, y, model)
    except InputError:  # of another model, or the samples are wrong, which is said then
        return _summarised(program, counted, clock, x, y, None)


def _summarised(
    program: Program,
    counted: _Counted,
    clock: float,
    x: NDArray[Any] | None,
    y: NDArray[Any] | None,
    model: Model | None,
) -> dict[str, Any]:
    """A program's run in numbers, with its estimated cells and what samples show of it."""
    from ..costs.cells import estimate_cells
    from ..report.summary import summarise

    summary = summarise(program.compiled, counted.run, counted.layers, bus=counted.bus, mhz=clock)
    cells = estimate_cells(program.compiled.config)
    summary["cells"] = {"luts": cells.luts, "brams": cells.brams, "error": cells.error}
    summary["samples"] = None if x is None else inspected(program, x, y, model)
    summary["compared"] = None
    return summary


def _figures(program: Compiled, counted: _Counted, summary: dict[str, Any]) -> dict[str, str]:
    from ..report import charts, figures
    from ..report.network import network_picture

    run, layers = counted.run, counted.layers
    shares = {layer.name: f"{layer.cycles / run.cycles:.1%} of the cycles" for layer in layers}
    drawn = {
        "network": network_picture(program.graph, shares),
        "cycles": figures.cycles_by_layer(layers),
        "roofline": charts.roofline(layers, program.config, counted.bus),
        "memory": charts.memory_map(program, run),
        "certificates": figures.certificates(layers, program.config.acc_bits),
    }
    errors = (summary["samples"] or {}).get("errors")
    if errors:
        found = errors["layers"]
        weights = [each["weights"] or 0.0 for each in found] if errors["beside_float"] else None
        drawn["errors"] = figures.errors_by_layer(
            [each["layer"] for each in found], weights, [each["output"] for each in found]
        )
    return drawn


def _tensors(program: Compiled, found: Sequence[Spread]) -> list[dict[str, Any]]:
    """Rows of the tensors, as JSON holds them."""
    layers, graph = program.graph.layers, program.graph
    rows = []
    for each in found:
        start = "input" if each.name == graph.input.tensor else "state"
        low, high = each.reach
        rows.append(
            {
                "name": each.name,
                "layer": each.layer,
                "by": layers[each.layer - 1].name if each.layer else start,
                "format": str(each.tensor.format),
                "low": low,
                "high": high,
                "zero": each.zero,
                "below": each.below,
                "above": each.above,
                "levels": each.levels.tolist(),
                "counts": each.counts.tolist(),
            }
        )
    return rows


def _sparks(found: Sequence[Spread]) -> dict[str, str]:
    from ..report.spark import spark

    return {f"levels of {each.name}": spark(each) for each in found}


def _boards(
    program: Compiled, cycles: int, bus: tuple[int, int], board: str | os.PathLike[str] | None
) -> dict[str, Any]:
    """Rows of the boards, and how far estimates were off."""
    from ...hw.spec.transfer_cycles import BusTiming
    from ..costs.cells import estimate_cells
    from ..costs.clocks import estimate_clock
    from ..report.board_fits import board_fits

    found = board_fits(program, cycles, _board_cores(board), BusTiming(latency=bus[0], pace=bus[1]))
    errors = {"cells": estimate_cells(program.config).error, "clock": estimate_clock(program.config).error}
    return {"rows": [asdict(each) for each in found], "error": errors}


def _board_cores(own: str | os.PathLike[str] | None) -> list[BoardCore]:
    """The boards of the catalogue, behind one of the user's own."""
    from ...boards.catalogue import BOARDS, find_board
    from ..report.board_fits import BoardCore
    from .sizing import fpga_target

    first = [] if own is None else [find_board(own)]
    cores = []
    for board in (*first, *(board for board in BOARDS.values() if board not in first)):
        try:
            target = fpga_target(board)
        except InputError:
            target = None
        cores.append(
            BoardCore(
                name=board.name,
                device=board.device,
                config=board.config,
                mhz=board.clock_mhz,
                link=board.link,
                bits_per_second=board.bits_per_second,
                target=target,
            )
        )
    return cores


def _cycles_beside(rows: Sequence[dict[str, Any]]) -> str:
    from ..report.figures import cycles_beside

    a, b = ([row[side]["cycles"] if row[side] else 0 for row in rows] for side in ("a", "b"))
    return cycles_beside([row["name"] for row in rows], a, b)
