"""The master port against an independent AXI4 memory model, with pauses and back-pressure on every channel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from amaranth.lib.wiring import In
from narrows.hw.axi4 import read_ports, write_ports
from narrows.hw.axi_lite import AXI_LITE_PORTS
from narrows.hw.verilog import TOP, to_verilog
from narrows.sim.cosim.simulators import SIMULATORS
from random_transfers import transfer_config

CONFIG = transfer_config(64, lanes=4, columns=2, banks=1)
SUPPORT = Path(__file__).parents[2] / "support"
IDENTIFIERS = {"arid": "output", "awid": "output", "rid": "input", "bid": "input"}
"""What the memory model asks for and the port does without: all answers come in order."""


def wrapper() -> str:
    """A top with just the ports public: all signals public would double what Verilator's build takes."""
    ports = {"clk": (True, 1), "rst": (True, 1), "irq": (False, 1)}
    for prefix, members in (("s_axil_", AXI_LITE_PORTS), ("m_axi_", read_ports(CONFIG) | write_ports(CONFIG))):
        ports |= {prefix + name: (member.flow is In, member.shape) for name, member in members.items()}
    declared = [
        f"{'input' if is_input else 'output'} [{width - 1}:0] {name} /* verilator public_flat_rw */"
        for name, (is_input, width) in ports.items()
    ]
    declared += [f"{way} [0:0] m_axi_{name} /* verilator public_flat_rw */" for name, way in IDENTIFIERS.items()]
    constants = "".join(f"assign m_axi_{name} = 0; " for name, way in IDENTIFIERS.items() if way == "output")
    connected = ", ".join(f".{name}({name})" for name in ports)
    return f"module axi_top({', '.join(declared)}); {constants}{TOP} core({connected}); endmodule\n"


def test_random_programs_with_pauses_are_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (Path(__file__).parent, SUPPORT):
        monkeypatch.syspath_prepend(str(folder))
    source, result = tmp_path / "core.v", tmp_path / "result.json"
    source.write_text(to_verilog(CONFIG) + wrapper(), encoding="utf-8")
    simulator = SIMULATORS["verilator"]
    runner = simulator.runner(lambda: None)
    runner.build(
        sources=[source],
        hdl_toplevel="axi_top",
        build_dir=tmp_path / "build",
        build_args=list(simulator.flags),
        log_file=tmp_path / "build.log",
    )
    runner.test(
        test_module="axi4_bench",
        hdl_toplevel="axi_top",
        build_dir=tmp_path / "build",
        test_dir=tmp_path,
        log_file=tmp_path / "run.log",
        results_xml=str(tmp_path / "results.xml"),
        extra_env={"NARROWS_CONFIG": json.dumps(CONFIG.to_dict()), "NARROWS_RESULT": str(result)},
    )
    assert json.loads(result.read_text(encoding="utf-8"))["programs"] == 3
