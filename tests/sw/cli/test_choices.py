"""What there is to choose from, what a misspelt name gives, where results go, and that all of it fits 80 columns."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import narrows
import numpy as np
import pytest
from narrows.sw.cli import run
from narrows.sw.cli.app import app
from narrows.sw.examples import digits, digits_model
from narrows.sw.quantize import QuantSettings
from narrows.sw.targets import FAMILIES, TARGETS, find_target

WIDTH = 80
COMMANDS = [command.name for command in app.registered_commands]


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(arguments) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("what", ["presets", "boards", "formats", "targets"])
def test_choices_are_listed_and_every_one_is_taken(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["list", what, "--json", str(tmp_path / "l.json")]) == 0
    shown = capsys.readouterr().out
    names = [row["name"] for row in json.loads((tmp_path / "l.json").read_text())[what]]
    assert names
    assert all(name in shown for name in names)
    take = {
        "presets": narrows.Config,
        "boards": lambda name: narrows.Config(board=name),
        "formats": lambda name: QuantSettings(acts=name),
        "targets": find_target,
    }[what]
    for name in names[:12]:
        take(name)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("verilog", "--preset", "medum"), "did you mean medium?"),
        (("verilog", "--board", "ulx4s"), "did you mean ulx3s"),
        (("synth", "--preset", "tiny", "--target", "ecp4"), "did you mean ecp5"),
        (("verilgo",), "Did you mean 'verilog'"),
        (("verilog", "--presset", "tiny"), "--preset"),
    ],
)
def test_what_is_misspelt_is_guessed(
    arguments: tuple[str, ...], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert meant in complaint(capsys, *arguments)


def test_a_misspelt_key_of_a_file_is_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.toml").write_text("accbits = 14\n")
    assert "did you mean acc_bits" in complaint(capsys, "verilog", "--config", str(tmp_path / "c.toml"))
    (tmp_path / "c.toml").write_text('preset = "smal"\n')
    assert "did you mean small" in complaint(capsys, "verilog", "--config", str(tmp_path / "c.toml"))


@pytest.mark.parametrize("name", [*FAMILIES, *TARGETS])
def test_targets_are_one_vocabulary(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    family, device = find_target(name)
    assert name.startswith(family)
    path = tmp_path / "e.json"
    status = run(["synth", "--preset", "tiny", "--target", name, "--estimate", "--json", str(path)])
    if device is not None and device.estimated:
        assert status == 0
        assert json.loads(path.read_text())["config"]["fabric"] == family
    else:
        assert status == 2
        assert "there are no estimates for" in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"narrows {narrows.__version__}\n"


def test_results_have_names_and_the_next_command_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with digits_model() as path:
        Path("net.onnx").write_bytes(path.read_bytes())
    np.savez("calib.npz", x=digits().calib_x[:16])
    for arguments, left, then in (
        (["compile", "net.onnx", "--calib", "calib.npz", "--preset", "tiny"], "net.nrw", "verify net.nrw"),
        (["trace", "net.nrw"], "net.trace.json", ""),
        (["verify", "net.nrw", "--input", "calib.npz", "--limit", "1", "--engine", "isa"], "", "verilog --program net"),
        (["board", "config", "ulx3s", "-o", "new/c.toml"], "new/c.toml", ""),
    ):
        assert run(arguments) == 0
        assert not left or Path(left).is_file()
        assert f"next: narrows {then}" in capsys.readouterr().out or not then


def test_help_fits_80_columns_and_examples_are_whole() -> None:
    code = (
        "import sys; from narrows.sw.cli import run\n"
        f"for name in {COMMANDS}: run([name, '-h'])\n"
        "for name in ('build', 'run', 'simulate', 'config'): run(['board', name, '-h'])\n"
        "run(['-h'])\n"
    )
    environment = os.environ | {"COLUMNS": str(WIDTH), "TERMINAL_WIDTH": str(WIDTH)}
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert max(map(len, found.stdout.splitlines())) <= WIDTH
    shown = {line.strip() for line in found.stdout.splitlines()}
    for command in app.registered_commands:
        text = command.callback.__doc__ if command.callback is not None else ""
        for example in re.findall(r"^        (narrows .*)$", text or "", re.MULTILINE):
            assert example in shown


def test_completion_knows_the_commands() -> None:
    environment = os.environ | {"_NARROWS_COMPLETE": "complete_bash", "COMP_WORDS": "narrows ver", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['narrows']; from narrows.sw.cli import main; main()"
    found = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=environment)
    assert found.stdout.split() == ["verify", "verilog"]
