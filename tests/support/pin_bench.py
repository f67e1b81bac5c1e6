"""run_at_pins: a simulated core whose ports are driven by a cocotb bench, signal by signal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cocotb_tools.config
from amaranth.lib.wiring import In, Member
from find_libpython import find_libpython
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.verilog import TOP, to_verilog
from narrows.sim.cosim.builders import build_verilator
from narrows.sim.cosim.simulators import SIMULATORS, verilator_root
from narrows.sw.processes import run_process

__all__ = ["run_at_pins"]

_TOP = "pins_top"


def run_at_pins(
    bench: Path,
    config: AcceleratorConfig,
    ports: Mapping[str, Member],
    folder: Path,
    *,
    spare: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What a bench leaves with `pin_traffic.finish`.

    Parameters
    ----------
    bench : Path
        A cocotb module; it may import what lies beside it and in this folder.
    config : AcceleratorConfig
    ports : mapping of Member
        The core's ports by name, but for clk, rst and irq.
    folder : Path
        Where build, logs and result go.
    spare : mapping of str
        One-bit ports that the bench asks for and the core does without: ``"input"`` or ``"output"``, then constant 0.
    """
    source, result = folder / "core.v", folder / "result.json"
    source.write_text(to_verilog(config) + _top(ports, spare or {}), encoding="utf-8")
    _build(source)
    python = find_libpython()
    assert python is not None, "cocotb needs Python's shared library"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(bench.parent), str(Path(__file__).parent), *sys.path]),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{python};{cocotb_tools.config.pygpi_entry_point()}",
        "COCOTB_TOPLEVEL": _TOP,
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TEST_MODULES": bench.stem,
        "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "NARROWS_CONFIG": json.dumps(config.to_dict()),
        "NARROWS_RESULT": str(result),
    }
    with (folder / "run.log").open("wb") as log:
        ended = run_process([folder / _TOP], cwd=folder, stdout=log, env=environment)
    assert ended.returncode == 0, (folder / "run.log").read_text(encoding="utf-8")
    return json.loads(result.read_text(encoding="utf-8"))


def _build(source: Path) -> None:
    """As cocotb's own runner does, but with no more signals public than are marked."""
    libraries = cocotb_tools.config.libs_dir
    link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
    program = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    flags = [*SIMULATORS["verilator"].flags, "--vpi", "-LDFLAGS", link]
    build_verilator(source, _TOP, flags, root=verilator_root(), waves=False, program=program)


def _top(ports: Mapping[str, Member], spare: Mapping[str, str]) -> str:
    """A top with just the ports public: all signals public would double what Verilator's build takes."""
    all_ports = {"clk": ("input", 1), "rst": ("input", 1), "irq": ("output", 1)} | {
        name: ("input" if member.flow is In else "output", member.shape) for name, member in ports.items()
    }
    declared = ", ".join(
        f"{way} [{width - 1}:0] {name} /* verilator public_flat_rw */"
        for name, (way, width) in (all_ports | {name: (way, 1) for name, way in spare.items()}).items()
    )
    constants = "".join(f"assign {name} = 0; " for name, way in spare.items() if way == "output")
    connected = ", ".join(f".{name}({name})" for name in all_ports)
    return f"module {_TOP}({declared}); {constants}{TOP} core({connected}); endmodule\n"
