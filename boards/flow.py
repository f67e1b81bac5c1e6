"""flow: run the plan of a board's build, and read what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..sw.files import on_disk, write_whole
from ..sw.placement import Placement, read_report
from ..sw.toolchain import ToolFailed, ToolRun, run_tool
from .board import Board
from .plan import NAME, plan_board
from .router_watch import RouterCircles, RouterWatch

__all__ = ["BoardBuild", "build_board", "run_step"]

_REPORT, _LOG = f"{NAME}.report.json", f"{NAME}.tim"

_HALF = "packing-"
"""Before the name of what is being packed: half a bitstream must not look like one."""

_RIP_UP = {"nextpnr-ecp5": "--tmg-ripup"}
"""Option with which a router frees wires that are too slow, and finds other ways for them, by tool."""


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
        on_step(command[0])
        steps.append(run_step(command, folder))

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
        write_whole(folder / name, content)
    results = {word for word in packing if word.startswith(NAME) and word not in best.files}
    run(tuple(_HALF + word if word in results else word for word in packing))
    for name in results:
        on_disk(folder / (_HALF + name))
        (folder / (_HALF + name)).replace(folder / name)
    placement = best.placement
    return BoardBuild(
        bitstream=folder / plan.bitstream,
        placement=placement,
        seed=best.seed,
        met=placement.fmax_mhz >= board.clock_mhz,
        steps=tuple(steps),
    )


def run_step(command: tuple[str, ...], folder: Path) -> ToolRun:
    """Run a command of a plan in its folder.

    An ECP5's wires are routed again as long as that makes slow ones faster (``--tmg-ripup``: 124 MHz instead of 102 on
    the same placement of 256 units). A router that circles before the clock is met is stopped, and the design routed
    once more without.

    Raises
    ------
    ToolMissing, ToolFailed
        As `run_tool`.
    """
    tool, *arguments = command
    log = {"yosys": f"{NAME}.rpt"}.get(tool, _LOG if tool.startswith("nextpnr") else "")
    if tool in _RIP_UP:
        (folder / log).unlink(missing_ok=True)
        try:
            return run_tool(tool, [*arguments, _RIP_UP[tool]], folder, log, tick=RouterWatch(folder / log))
        except RouterCircles:
            pass
    return run_tool(tool, arguments, folder, log)
