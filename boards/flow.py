"""flow: run the plan of a board's build, and read what became of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..sw.files import on_disk
from ..sw.tasks import HERE, Workers
from ..sw.toolchain.placement import Placement
from ..sw.toolchain.programs import ToolFailed, ToolRun
from .board import Board
from .placing import Placed, place, placing_inputs, run_step
from .plan import NAME, BoardPlan, plan_board

__all__ = ["BoardBuild", "build_board"]

_HALF = "packing-"
"""Before the name of what is being packed: half a bitstream must not look like one."""


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


def build_board(
    board: Board,
    folder: Path,
    *,
    seed: int = 1,
    tries: int = 1,
    on_step: Callable[[str], None] = lambda tool: None,
    workers: Workers = HERE,
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
        Placements at most, with this seed and those behind it, until one meets the clock. That one is kept, of several
        the one with the lowest seed, as if they had been tried one after the other; or else the fastest.
    on_step : callable
        Told of each program before it starts; of placements that run at once, whenever one of them has ended.
    workers : Workers
        What runs the placements.

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

    synthesis, placing, packing = plan.commands
    run(synthesis)
    tried = _tried(plan, folder, range(seed, seed + tries), board.clock_mhz, workers, lambda: on_step(placing[0]))
    steps += [placed.step for placed in tried.values() if placed.step is not None]
    good = {number: placed.placement for number, placed in tried.items() if placed.placement is not None}
    if not good:
        last = tried[max(tried)]
        last.extract(folder)
        raise ToolFailed(f"{last.failure} in {folder}")
    best = max(good, key=lambda number: good[number].fmax_mhz)
    tried[best].extract(folder)
    results = {word for word in packing if word.startswith(NAME) and word not in tried[best].files}
    run(tuple(_HALF + word if word in results else word for word in packing))
    for name in results:
        on_disk(folder / (_HALF + name))
        (folder / (_HALF + name)).replace(folder / name)
    return BoardBuild(
        bitstream=folder / plan.bitstream,
        placement=good[best],
        seed=best,
        met=good[best].fmax_mhz >= board.clock_mhz,
        steps=tuple(steps),
    )


def _tried(
    plan: BoardPlan, folder: Path, seeds: range, clock_mhz: float, workers: Workers, on_try: Callable[[], None]
) -> Mapping[int, Placed]:
    """Placements by seed, in its order: all up to the first that meets the clock."""
    tasks = [(plan.place_and_route(number), plan.commands[2]) for number in seeds]
    found: dict[int, Placed] = {}
    wanted = len(tasks)
    on_try()
    with contextlib.closing(workers.run(place, placing_inputs(plan, folder), tasks)) as ended:
        for number, placed in ended:
            found[number] = placed
            if placed.placement is not None and placed.placement.fmax_mhz >= clock_mhz:
                wanted = min(wanted, number + 1)
            if all(earlier in found for earlier in range(wanted)):
                break
            on_try()
    return {seeds[number]: found[number] for number in range(wanted)}
