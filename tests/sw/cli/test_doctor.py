"""The command doctor: what it shows, in a terminal of 80 columns, and what it gives as data."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from narrows.boards.catalogue import BOARDS
from narrows.hw.spec.config import PRESETS
from narrows.sw.cli import output, run
from narrows.sw.costs import propose
from narrows.sw.examples import digits_model
from rich.console import Console


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(propose, "_SHAPES", [(1, 2, 4), (1, 16, 16)])
    monkeypatch.setattr(output, "_RESULTS", Console(soft_wrap=False, width=80))
    with digits_model() as path:
        (tmp_path / "model.onnx").write_bytes(path.read_bytes())
    return tmp_path / "model.onnx"


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run(["doctor", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_tables_keep_to_80_columns_and_their_numbers_whole(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, model, "--board", "ulx3s")
    table = text[: text.index("smallest core")]
    assert max(map(len, table.splitlines())) <= 80
    cycles = int(text.split("about ")[-1].split(" cycles")[0].replace(",", ""))
    assert f"{cycles:,}" in table, "the board's row has the cycles of the whole"
    for name in (*(f"preset {name}" for name in PRESETS), *(f"board {name}" for name in BOARDS)):
        assert name in table


def test_fused_nodes_are_shown_on_demand(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few, every = (shown(capsys, model, "--preset", "demo", *more) for more in ((), ("--all",)))
    assert "nodes not shown (data movement, fused): --all shows them" in few
    assert "nodes not shown" not in every
    assert "Flatten" in every and "Flatten" not in few


def test_without_a_core_it_looks_at_the_one_that_compile_would_make(
    model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = shown(capsys, model, "--json", tmp_path / "d.json")
    assert "\nchosen: " in text
    found = json.loads((tmp_path / "d.json").read_text())
    assert found["cycles"] == int(text.split("units, ")[1].split(" cycles")[0].replace(",", ""))
    names = [core["name"] for core in found["cores"]]
    assert names == [*(f"preset {name}" for name in PRESETS), *(f"board {name}" for name in BOARDS)]
    assert found["smallest"]["rows"] * found["smallest"]["columns"] * found["smallest"]["lanes"] == 8


def test_open_axes_are_given_by_an_option(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = onnx.load(model)
    source = loaded.graph.input[0]
    for axis in (2, 3):
        source.type.tensor_type.shape.dim[axis].dim_param = "side"
    onnx.save(loaded, model)
    assert run(["doctor", str(model), "--preset", "demo"]) == 2
    assert f"give one with --input-shape {source.name}=1,1,64,64" in capsys.readouterr().err
    assert "nothing to change" in shown(capsys, model, "--preset", "demo", "--input-shape", f"{source.name}=1,1,8,8")
    assert run(["doctor", str(model), "--preset", "demo", "--input-shape", "8x8"]) == 2
    assert "must be a name and sizes such as x=1,3,320,320" in capsys.readouterr().err
