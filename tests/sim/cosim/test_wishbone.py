"""The Wishbone port against an independent bus model, with idle cycles between accesses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from amaranth.lib.wiring import In
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.verilog import TOP, to_verilog
from narrows.hw.wishbone import WISHBONE_PORTS
from narrows.sim.cosim.simulators import SIMULATORS

CONFIG = AcceleratorConfig(
    rows=1,
    columns=1,
    lanes=16,
    rescalers=1,
    acc_bits=12,
    rescale_bits=2,
    planes=1,
    act_words=64,
    weight_words=16,
    param_words=8,
    taps=16,
    blocks=8,
    instructions=4,
    host="wishbone",
)


def wrapper() -> str:
    """A top with just the ports public: all signals public would double what Verilator's build takes."""
    ports = {"clk": (True, 1), "rst": (True, 1), "irq": (False, 1)} | {
        f"s_wb_{name}": (member.flow is In, member.shape) for name, member in WISHBONE_PORTS.items()
    }
    declared = ", ".join(
        f"{'input' if is_input else 'output'} [{width - 1}:0] {name} /* verilator public_flat_rw */"
        for name, (is_input, width) in ports.items()
    )
    return (
        f"module wishbone_top({declared}); {TOP} core({', '.join(f'.{name}({name})' for name in ports)}); endmodule\n"
    )


def test_random_traffic_never_goes_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    source, result = tmp_path / "core.v", tmp_path / "result.json"
    source.write_text(to_verilog(CONFIG) + wrapper(), encoding="utf-8")
    simulator = SIMULATORS["verilator"]
    runner = simulator.runner(lambda: None)
    runner.build(
        sources=[source],
        hdl_toplevel="wishbone_top",
        build_dir=tmp_path / "build",
        build_args=list(simulator.flags),
        log_file=tmp_path / "build.log",
    )
    environment = {"NARROWS_CONFIG": json.dumps(CONFIG.to_dict()), "NARROWS_SEED": "1", "NARROWS_RESULT": str(result)}
    runner.test(
        test_module="wishbone_bench",
        hdl_toplevel="wishbone_top",
        build_dir=tmp_path / "build",
        test_dir=tmp_path,
        log_file=tmp_path / "run.log",
        results_xml=str(tmp_path / "results.xml"),
        extra_env=environment,
    )
    assert json.loads(result.read_text(encoding="utf-8"))["transactions"] >= 500
