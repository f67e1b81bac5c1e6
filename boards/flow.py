"""flow: run the plan of a board's build, and read what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..sw.placement import Placement, read_report
from ..sw.toolchain import ToolRun, run_tool
from .board import Board
from .plan import NAME, plan_board

__all__ = ["BoardBuild", "build_board"]


@dataclass(frozen=True, kw_only=True)
class BoardBuild:
    """A finished build.

    Parameters
    ----------
    bitstream : Path
    placement : Placement
        Clock and cells, from nextpnr's report.
    met : bool
        Whether the clock is at least the board's.
    steps : tuple of ToolRun
    """

    bitstream: Path
    placement: Placement
    met: bool
    steps: tuple[ToolRun, ...]


def build_board(
    board: Board, folder: Path, *, seed: int = 1, on_step: Callable[[str], None] = lambda tool: None
) -> BoardBuild:
    """Synthesise, place, route and pack a board's design.

    Parameters
    ----------
    board : Board
        One that open tools can place.
    folder : Path
        Where everything goes.
    seed : int
        Of the placement.
    on_step : callable
        Told of each program before it starts.

    Raises
    ------
    ToolMissing, ToolFailed
        If a program is not there, or does not come to its end.
    """
    plan = plan_board(board, seed=seed)
    plan.extract(folder)
    steps = []
    for tool, *arguments in plan.commands:
        on_step(tool)
        log = {"yosys": f"{NAME}.rpt"}.get(tool, f"{NAME}.tim" if tool.startswith("nextpnr") else "")
        steps.append(run_tool(tool, arguments, folder, log))
    placement = read_report(folder / f"{NAME}.report.json")
    return BoardBuild(
        bitstream=folder / plan.bitstream,
        placement=placement,
        met=placement.fmax_mhz >= board.clock_mhz,
        steps=tuple(steps),
    )
