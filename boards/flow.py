"""flow: run the plan of a board's build, and read what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..sw.placement import Placement, read_report
from ..sw.toolchain import ToolFailed, ToolRun, run_tool
from .board import Board
from .plan import NAME, plan_board

__all__ = ["BoardBuild", "build_board"]

_REPORT, _LOG = f"{NAME}.report.json", f"{NAME}.tim"


@dataclass(frozen=True, kw_only=True)
class BoardBuild:
    """A finished build.

    Parameters
    ----------
    bitstream : Path
    placement : Placement
        Clock and cells, from nextpnr's report.
    seed : int
        Of that placement.
    met : bool
        Whether the clock is at least the board's.
    steps : tuple of ToolRun
    """

    bitstream: Path
    placement: Placement
    seed: int
    met: bool
    steps: tuple[ToolRun, ...]


@dataclass(frozen=True, kw_only=True)
class _Try:
    """A placement, and what packing it needs."""

    seed: int
    placement: Placement
    files: dict[str, bytes]


def build_board(
    board: Board, folder: Path, *, seed: int = 1, tries: int = 1, on_step: Callable[[str], None] = lambda tool: None
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
    tries : int
        Placements at most, with this seed and those behind it, until one meets the clock; the fastest is kept.
    on_step : callable
        Told of each program before it starts.

    Raises
    ------
    ToolMissing, ToolFailed
        If a program is not there, or does not come to its end, with none of the seeds.
    """
    plan = plan_board(board, seed=seed)
    plan.extract(folder)
    steps: list[ToolRun] = []

    def run(command: tuple[str, ...]) -> None:
        tool, *arguments = command
        on_step(tool)
        log = {"yosys": f"{NAME}.rpt"}.get(tool, _LOG if tool.startswith("nextpnr") else "")
        steps.append(run_tool(tool, arguments, folder, log))

    synthesis, _, packing = plan.commands
    run(synthesis)
    best = failure = None
    for number in range(seed, seed + tries):
        placing = plan.place_and_route(number)
        try:
            run(placing)
        except ToolFailed as error:  # it gave up, which another seed need not do
            failure = error
            continue
        placement = read_report(folder / _REPORT)
        if best is None or placement.fmax_mhz > best.placement.fmax_mhz:
            names = _REPORT, _LOG, *(set(placing) & set(packing))
            files = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
            best = _Try(seed=number, placement=placement, files=files)
        if placement.fmax_mhz >= board.clock_mhz:
            break
    if best is None:
        assert failure is not None
        raise failure
    for name, content in best.files.items():
        (folder / name).write_bytes(content)
    run(packing)
    placement = best.placement
    return BoardBuild(
        bitstream=folder / plan.bitstream,
        placement=placement,
        seed=best.seed,
        met=placement.fmax_mhz >= board.clock_mhz,
        steps=tuple(steps),
    )
