"""run_at_pins: a simulated core whose ports are driven by a cocotb bench, signal by signal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from amaranth.lib.wiring import In, Member
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.verilog import TOP, to_verilog
from narrows.sim.cosim.simulators import build_simulator, start_simulator

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
    build_simulator(source, _TOP, simulator="verilator", clocked=False, waves=False, tick=lambda: None)
    with pytest.MonkeyPatch.context() as patch:
        for imported in (bench.parent, Path(__file__).parent):
            patch.syspath_prepend(str(imported))
        start_simulator(
            folder,
            bench.stem,
            simulator="verilator",
            waves=False,
            folder=folder,
            log=folder / "run.log",
            results=folder / "results.xml",
            variables={"NARROWS_CONFIG": json.dumps(config.to_dict()), "NARROWS_RESULT": str(result)},
            tick=lambda: None,
            top=_TOP,
        )
    return json.loads(result.read_text(encoding="utf-8"))


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
