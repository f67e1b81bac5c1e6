"""--board: the core of a board on the commands that take a configuration or a program."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from narrows.boards.catalogue import BOARDS
from narrows.sw.cli.app import run
from narrows.sw.examples import digits, digits_model
from narrows.sw.program import Program


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    np.savez(folder / "calib.npz", x=digits().calib_x[:48])
    np.savez(folder / "test.npz", x=digits().test_x[:3])
    with digits_model() as path:
        (folder / "model.onnx").write_bytes(path.read_bytes())
    calib, output = str(folder / "calib.npz"), str(folder / "m.nrw")
    assert run(["compile", str(folder / "model.onnx"), "--calib", calib, "--board", "ulx3s", "-o", output]) == 0
    return folder


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run([str(argument) for argument in arguments]) == 2
    return capsys.readouterr().err.removeprefix("narrows: error: ").rstrip()


def test_compile_takes_the_core_of_a_board(compiled: Path) -> None:
    assert Program.load(compiled / "m.nrw").config == BOARDS["ulx3s"].config


def test_report_takes_the_clock_of_a_board(compiled: Path, tmp_path: Path) -> None:
    arguments = ["report", compiled / "m.nrw", "-o", tmp_path / "r.html", "--json", tmp_path / "r.json"]
    assert run([*map(str, arguments), "--board", "ulx3s"]) == 0
    assert json.loads((tmp_path / "r.json").read_text())["mhz"] == BOARDS["ulx3s"].clock_mhz


def test_a_program_of_another_core_is_refused(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = complaint(capsys, "verify", compiled / "m.nrw", "--input", compiled / "test.npz", "--board", "orangecrab")
    assert message == (
        "the program was compiled for another core than that of orangecrab: compile the model with --board orangecrab"
    )


def test_verify_runs_on_the_core_of_its_board(compiled: Path) -> None:
    arguments = ["verify", str(compiled / "m.nrw"), "--input", str(compiled / "test.npz"), "--board", "ulx3s"]
    assert run([*arguments, "--engine", "golden", "--engine", "isa"]) == 0


def test_verilog_and_synth_know_boards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    core, numbers = tmp_path / "core.v", tmp_path / "core.json"
    assert run(["verilog", "--board", "icebreaker", "-o", str(core), "--json", str(numbers)]) == 0
    assert json.loads(numbers.read_text())["config"] == BOARDS["icebreaker"].config.to_dict()
    assert run(["synth", "--board", "ulx3s", "--estimate", "--json", str(numbers)]) == 0
    assert json.loads(numbers.read_text())["config"]["act_words"] == BOARDS["ulx3s"].config.act_words
    message = complaint(capsys, "synth", "--board", "tang-nano-9k")
    assert message == ("tang-nano-9k has an FPGA of the family gowin: use narrows board build tang-nano-9k")
    assert complaint(capsys, "synth", "--preset", "tiny").startswith("say which FPGA: --target ecp5, ice40")


def test_a_wrong_name_gets_the_nearest_ones(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    message = complaint(capsys, "verilog", "--board", "ULX3", "-o", tmp_path / "core.v")
    assert message.startswith("there is no board 'ULX3': did you mean ulx3s")
    assert message.endswith(f"The boards are {', '.join(BOARDS)}")
    message = complaint(capsys, "verilog", "--board", "zzz", "-o", tmp_path / "core.v")
    assert message.startswith("there is no board 'zzz': the boards are ")


def test_only_one_core_at_a_time(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    message = complaint(capsys, "verilog", "--board", "ulx3s", "--preset", "tiny", "-o", tmp_path / "core.v")
    assert message == "choose one of --preset and --board: each says what core it is"
