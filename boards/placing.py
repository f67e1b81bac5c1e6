"""placing: steps of a board's plan, and its placement as a task that any machine can run."""

from __future__ import annotations

import contextlib
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..sw.files import write_whole
from ..sw.toolchain.placement import Placement, read_report
from ..sw.toolchain.programs import ToolFailed, ToolRun, run_tool
from .plan import NAME, BoardPlan
from .router_watch import PATIENCE, RouterCircles, RouterWatch

__all__ = ["REPORT", "Placed", "place", "placing_inputs", "run_step"]

REPORT = f"{NAME}.report.json"
"""File that nextpnr writes of a placement."""

_LOG = f"{NAME}.tim"

_LONG = 2 * PATIENCE
"""Rounds after which a router circles that frees no slow wires: one that got on had stood still for 44 of them."""

_RIP_UP = {"nextpnr-ecp5": "--tmg-ripup"}
"""Option with which a router frees wires that are too slow, and finds other ways for them, by tool."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What became of a placement.

    Parameters
    ----------
    files : dict of bytes
        What it left (log, report, the placed design), by name, compressed.
    step : ToolRun or None
    placement : Placement or None
        None of one that failed.
    failure : str
        Why it failed; the log that it names is among the files.
    """

    files: Mapping[str, bytes]
    step: ToolRun | None = None
    placement: Placement | None = None
    failure: str = ""

    def extract(self, folder: Path) -> None:
        """Write the files to a folder."""
        for name, content in self.files.items():
            write_whole(folder / name, zlib.decompress(content))


def placing_inputs(plan: BoardPlan, folder: Path) -> dict[str, bytes]:
    """What placing a plan reads of a folder in which it was synthesised, by name, compressed."""
    made = {REPORT, _LOG, *plan.commands[2]}
    names = {word.rpartition("=")[2] for word in plan.commands[1]} - made
    return {name: zlib.compress((folder / name).read_bytes()) for name in names if name and (folder / name).is_file()}


def place(inputs: Mapping[str, bytes], task: tuple[tuple[str, ...], tuple[str, ...]]) -> Placed:
    """Place and route.

    Parameters
    ----------
    inputs : dict of bytes
        See `placing_inputs`.
    task : pair of tuple of str
        The command, and that of packing.

    Raises
    ------
    ToolMissing
        If the program is not there.
    """
    command, packing = task
    with tempfile.TemporaryDirectory(prefix="narrows-placement-") as scratch:
        folder = Path(scratch)
        for name, content in inputs.items():
            (folder / name).write_bytes(zlib.decompress(content))
        made = {REPORT, _LOG, f"{command[0]}.out", *(set(command) & set(packing))}

        def left() -> dict[str, bytes]:
            return {name: zlib.compress((folder / name).read_bytes()) for name in made if (folder / name).is_file()}

        try:
            step = run_step(command, folder)
        except ToolFailed as error:
            return Placed(files=left(), failure=str(error).replace(f"{folder}/", ""))
        return Placed(files=left(), step=step, placement=read_report(folder / REPORT))


def run_step(command: tuple[str, ...], folder: Path) -> ToolRun:
    """Run a command of a plan in its folder.

    An ECP5's wires are routed again as long as that makes slow ones faster (``--tmg-ripup``: 124 MHz instead of 102 on
    the same placement of 256 units). A router that circles before the clock is met is stopped, and the design routed
    once more without. On an iCE40 it frees none, and where it circles this placement has no way.

    Raises
    ------
    ToolMissing, ToolFailed
        As `run_tool`.
    """
    tool, *arguments = command
    if not tool.startswith("nextpnr"):
        return run_tool(tool, arguments, folder, f"{NAME}.rpt" if tool == "yosys" else "")
    log = folder / _LOG
    log.unlink(missing_ok=True)
    if tool in _RIP_UP:
        with contextlib.suppress(RouterCircles):
            return run_tool(tool, [*arguments, _RIP_UP[tool]], folder, _LOG, tick=RouterWatch(log))
        return run_tool(tool, arguments, folder, _LOG)
    try:
        return run_tool(tool, arguments, folder, _LOG, tick=RouterWatch(log, _LONG))
    except RouterCircles as error:
        raise ToolFailed(
            f"{tool} finds no way for all wires ({error}): try another seed, or a smaller core; see {log}"
        ) from error
