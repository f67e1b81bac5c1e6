"""The commands on boards: what they list and write, and how they refuse."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from narrows.boards import flow, plan
from narrows.boards.catalogue import BOARDS
from narrows.boards.flow import BoardBuild
from narrows.boards.plan import CORE_PARAMETERS
from narrows.boards.ulx3s import BOARD as ULX3S
from narrows.hw import verilog
from narrows.hw.spec.answer import AnswerKind
from narrows.hw.spec.boot import decode_image
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.config_file import load_config
from narrows.hw.spec.registers import Register, Stream
from narrows.sw.cli.app import run
from narrows.sw.compile import compile_graph
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime.boot import boot_image
from narrows.sw.runtime.serving import serving_of
from narrows.sw.tasks import HERE
from narrows.sw.toolchain.placement import Placement
from narrows.sw.toolchain.programs import ToolRun


def test_list_names_every_board_with_its_core(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["board", "list", "--json", str(tmp_path / "boards.json")]) == 0
    listed = json.loads((tmp_path / "boards.json").read_text())["boards"]
    assert [board["name"] for board in listed] == list(BOARDS)
    assert [board["config"] for board in listed] == [board.config.to_dict() for board in BOARDS.values()]
    assert "iCE40UP5K" in capsys.readouterr().out


def test_config_writes_what_compile_reads(tmp_path: Path) -> None:
    assert run(["board", "config", "icebreaker", "-o", str(tmp_path / "core.toml")]) == 0
    assert load_config(tmp_path / "core.toml") == BOARDS["icebreaker"].config


def test_a_board_for_a_vendors_tools_gets_a_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    core = "module narrows_core(input clk, input d, output reg q); always @(posedge clk) q <= d; endmodule\n"
    for module in (plan, verilog):  # of the sources, and of the core's resources
        monkeypatch.setattr(module, "to_verilog", lambda config: core)
    report = tmp_path / "arty.json"
    assert run(["board", "build", "arty-a7-35", "--folder", str(tmp_path / "arty"), "--json", str(report)]) == 0
    assert {"narrows_core.sv", "narrows_board.xdc", "build_narrows_board.sh"} <= {
        path.name for path in (tmp_path / "arty").iterdir()
    }
    shown = capsys.readouterr().out
    assert "for the vendor's tools" in shown and "LUT6" in shown
    content = json.loads(report.read_text())
    assert (content["board"], content["total"]["ff"], content["total"]["lut"]) == ("arty-a7-35", 1, 0)


@pytest.mark.parametrize(("fmax", "status"), [(21.5, 0), (20.5, 1)])
def test_build_says_whether_the_clock_is_met(
    fmax: float, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(board, folder, *, seed, tries, on_step, workers):
        assert (seed, tries, workers) == (3, 2, HERE)
        on_step("yosys")
        bitstream = tmp_path / "narrows_board.bin"
        bitstream.write_bytes(bytes(104_090))
        placed = Placement(fmax_mhz=fmax, used={"ICESTORM_LC": 4655}, available={"ICESTORM_LC": 5280}, path=())
        steps = (ToolRun(tool="yosys", seconds=161.1, megabytes=245.0),)
        return BoardBuild(bitstream=bitstream, placement=placed, seed=4, met=fmax >= board.clock_mhz, steps=steps)

    monkeypatch.setattr(flow, "build_board", build)
    report = tmp_path / "build.json"
    assert (
        run(["board", "build", "icebreaker", "--clock", "21", "--seed", "3", "--tries", "2", "--json", str(report)])
        == status
    )
    shown = capsys.readouterr().out
    assert "4,655" in shown and "161" in shown and "104,090 bytes" in shown
    assert ("the clock is not met: 20.5 of 21 MHz" in shown) == (status == 1)
    content = json.loads(report.read_text())
    assert (content["met"], content["placement"]["fmax_mhz"], content["seed"]) == (status == 0, fmax, 4)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["build", "ice"], "there is no board 'ice': the boards are icebreaker, upduino, ulx3s"),
        (["build", "orangecrab", "--link", "spi"], "OrangeCrab r0.2, 25F has no spi to its host: choose uart"),
        (["build", "icebreaker", "--baud", "7000000"], "7000000 baud cannot be made of 30 MHz: choose another baud"),
        (["build", "icebreaker", "--clock", "0.3"], "3000000 baud cannot be made of 0.3 MHz"),
        (["flash", "ulx3s", "--folder", "/nowhere"], "build it first, narrows board build ulx3s"),
        (["build", "orangecrab", "--alone"], "25F has no flash that its core could load a program from"),
        (["build", "icebreaker", "--alone", "--link", "spi"], "its spi and its flash on the same pins"),
        (["simulate", "ulx3s", "--alone"], "needs the program that is in its flash: name it with --program"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    command: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["board", *command]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_flash_asks_for_its_loader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "narrows_board.bit").write_bytes(b"")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["board", "flash", "ulx3s", "--folder", str(tmp_path)]) == 2
    assert f"install it, then openFPGALoader -b ulx3s {tmp_path / 'narrows_board.bit'}" in capsys.readouterr().err


@pytest.fixture(scope="module")
def alone_build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A program, and a folder that looks like the build of a board that is alone."""
    folder = tmp_path_factory.mktemp("alone")
    board = dataclasses.replace(ULX3S, alone=True)
    with digits_model() as path:
        settings = QuantSettings(weights=board.config.weight_format, acts=board.config.act_format)
        graph = quantise(lower(load_model(path)), digits().calib_x[:16], settings, board.config)
    compile_graph(graph, ULX3S.config).save(folder / "digits.nrw")
    (folder / "narrows_board.bit").write_bytes(b"")
    (folder / CORE_PARAMETERS).write_text(json.dumps(board.config.to_dict()))
    return folder, folder / "digits.nrw"


def test_bitstream_and_program_go_into_the_flash(
    alone_build: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, program = alone_build
    told = tmp_path / "told"
    loader = tmp_path / "openFPGALoader"
    loader.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    loader.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert run(["board", "flash", "ulx3s", "--folder", str(folder), "--program", str(program)]) == 0
    image, bitstream = folder / "narrows_board.boot", folder / "narrows_board.bit"
    assert told.read_text().splitlines() == [
        f"-b ulx3s -f -o 0x300000 {image}",
        f"-b ulx3s -f -o 0x0 {bitstream}",
    ]
    assert image.read_bytes() == boot_image(Program.load(program), dataclasses.replace(ULX3S, alone=True).config)
    assert "bytes" in capsys.readouterr().out


def test_a_build_that_serves_gets_a_program_that_does(
    alone_build: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, program = alone_build
    core = dataclasses.replace(ULX3S, alone=True, serves=True).config
    (tmp_path / "narrows_board.bit").write_bytes(b"")
    (tmp_path / CORE_PARAMETERS).write_text(json.dumps(core.to_dict()))
    monkeypatch.setenv("PATH", str(tmp_path))
    compiled = Program.load(program)
    for ways, kind in (((), None), (("--answer", "place"), AnswerKind.PLACE)):
        assert run(["board", "flash", "ulx3s", "--folder", str(tmp_path), "--program", str(program), *ways]) == 2
        right = boot_image(compiled, core, serving_of(compiled, core, kind))
        assert (tmp_path / "narrows_board.boot").read_bytes() == right
        address, [enabled] = decode_image(right)[-1]
        assert (address, enabled) == (Register.STREAM.offset, Stream.ENABLE | Stream.COUNTED)


def test_flash_without_a_loader_shows_both_commands(
    alone_build: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, program = alone_build
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["board", "flash", "ulx3s", "--folder", str(folder), "--program", str(program)]) == 2
    image, bitstream = folder / "narrows_board.boot", folder / "narrows_board.bit"
    error = capsys.readouterr().err
    assert f"openFPGALoader -b ulx3s -f -o 0x300000 {image} && openFPGALoader -b ulx3s -f -o 0x0 {bitstream}" in error


def test_a_build_that_does_not_boot_takes_no_program(
    alone_build: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, program = alone_build
    for content, message in (
        (None, "there is no"),
        ("{", "does not say what core was built there"),
        (json.dumps(ULX3S.config.to_dict()), "does not load its program by itself"),
        (json.dumps(AcceleratorConfig(boot=1, flash_divisor=1).to_dict()), "the program was compiled for"),
    ):
        if content is not None:
            (tmp_path / "narrows_board.bit").write_bytes(b"")
            (tmp_path / CORE_PARAMETERS).write_text(content)
        assert run(["board", "flash", "ulx3s", "--folder", str(tmp_path), "--program", str(program)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
