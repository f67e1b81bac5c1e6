"""bench/clocks.py: kept placements are read again, and a row is their median."""

from __future__ import annotations

import json
from pathlib import Path

import clocks
import pytest
from narrows.boards import placing
from narrows.boards.board import Board
from narrows.boards.catalogue import BOARDS
from narrows.sw.toolchain.programs import ToolRun


def keep(board: Board, builds: Path, reached: dict[int, float]) -> Path:
    """Reports as if a board had been placed; their folder."""
    folder = builds / f"{board.name}-{clocks._digest(clocks.plan_board(board))}"
    folder.mkdir(parents=True)
    for seed, mhz in reached.items():
        report = {
            "fmax": {"clk": {"achieved": mhz}, "slow": {"achieved": mhz + 100}},
            "utilization": {
                "TRELLIS_COMB": {"used": 20_000 + seed, "available": 83_640},
                "MULT18X18D": {"used": 4, "available": 156},
            },
            "critical_paths": [],
        }
        (folder / f"seed{seed}.report.json").write_text(json.dumps(report))
    return folder


def test_a_row_is_the_median_of_the_kept_placements(tmp_path: Path) -> None:
    board = BOARDS["ulx3s"]
    keep(board, tmp_path, {1: 130.0, 2: 90.0, 3: 50.0})
    output = tmp_path / "clocks.json"
    clocks.main(board=["ulx3s"], builds=tmp_path, json_file=output)
    [row] = json.loads(output.read_text())["rows"]
    cycles = clocks.resnet8_cycles(board)
    assert cycles is not None and cycles > 50_000
    assert row == {
        "board": "ulx3s",
        "grade": "6",
        "units": 256,
        "fmax_mhz": 90.0,
        "seeds": {"1": 130.0, "2": 90.0, "3": 50.0},
        "lut": 20_002,
        "lut_per_unit": 20_002 / 256,
        "dsp": 4,
        "resnet8_cycles": cycles,
        "latency_ms": cycles / min(90.0, board.clock_mhz) / 1e3,
    }


def test_another_design_is_placed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = BOARDS["ulx3s"]
    other = board.with_config(type(board.config).from_dict(board.config.to_dict() | {"weight_words": 1024}))
    asked = []

    def run(tool: str, arguments: list[str], folder: Path, log: str = "", tick: object = None) -> ToolRun:
        asked.append(tool)
        name = "narrows_board.report.json" if tool.startswith("nextpnr") else "narrows_board.json"
        (folder / name).write_text(kept.read_text())
        return ToolRun(tool=tool, seconds=1.0, megabytes=1.0)

    kept = keep(board, tmp_path, {1: 130.0, 2: 90.0}) / "seed1.report.json"
    monkeypatch.setattr(placing, "run_tool", run)
    assert list(clocks.placed(board, (1, 2), tmp_path)) == [1, 2]
    assert asked == []
    assert {placement.fmax_mhz for placement in clocks.placed(other, (1, 2), tmp_path).values()} == {130.0}
    assert asked == ["yosys", "nextpnr-ecp5", "nextpnr-ecp5"]


def test_a_model_that_does_not_fit_has_no_cycles() -> None:
    assert clocks.resnet8_cycles(BOARDS["tang-nano-9k"]) is None


@pytest.mark.parametrize(
    ("board", "grade"), [("ulx3s", "6"), ("orangecrab", "8"), ("icebreaker", ""), ("tang-nano-9k", "C6/I5")]
)
def test_speed_grades_are_in_the_devices_names(board: str, grade: str) -> None:
    assert clocks.grade(BOARDS[board].device) == grade
