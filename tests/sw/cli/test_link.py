"""narrows link, and what other commands make of its file."""

from __future__ import annotations

import json
from pathlib import Path

import narrows
import numpy as np
import pytest
from narrows.sw.cli.app import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two programs, and the file of both."""
    path = tmp_path_factory.mktemp("linked")
    digits = narrows.example()
    narrow = digits.model.quantize(digits.calib).compile("tiny")
    narrow.save(path / "narrow.nrw")
    digits.model.quantize(digits.calib, weights="dybit8").compile(narrow.config).save(path / "wide.nrw")
    np.savez(path / "x.npz", x=digits.x[:3], y=digits.y[:3])
    both = [str(path / "narrow.nrw"), f"broad={path / 'wide.nrw'}", "-o", str(path / "both.nrw")]
    assert run(["link", *both, "--json", str(path / "link.json")]) == 0
    return path


def test_it_says_where_programs_begin(folder: Path) -> None:
    found = json.loads((folder / "link.json").read_text(encoding="utf-8"))
    assert {name: each["entry"] for name, each in found["programs"].items()} == {"narrow": 0, "broad": 8}
    assert (found["config"]["entry"], found["output"]) == (1, str(folder / "both.nrw"))
    assert list(narrows.Linked.load(folder / "both.nrw")) == ["narrow", "broad"]


@pytest.mark.parametrize("engine", ["golden", "isa"])
def test_a_program_runs_by_its_name(engine: str, folder: Path) -> None:
    for name, alone in (("narrow", "narrow.nrw"), ("broad", "wide.nrw")):
        rest = ["--input", str(folder / "x.npz"), "--engine", engine, "--json"]
        assert run(["run", str(folder / "both.nrw"), "--program", name, *rest, str(folder / "a.json")]) == 0
        assert run(["run", str(folder / alone), *rest, str(folder / "b.json")]) == 0
        assert (folder / "a.json").read_text(encoding="utf-8") == (folder / "b.json").read_text(encoding="utf-8")


def test_other_commands_take_the_name_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both, x = str(folder / "both.nrw"), str(folder / "x.npz")
    assert run(["verify", both, "--program", "broad", "--input", x, "--engine", "isa"]) == 0
    assert run(["explain", both, "--program", "broad", "--calib", x, "--quick"]) == 0
    assert run(["trace", both, "--program", "broad", "-o", str(folder / "t.json")]) == 0
    assert run(["report", both, "--program", "narrow", "-o", str(folder / "page.html")]) == 0
    capsys.readouterr()
    assert run(["disasm", both, "--program", "broad"]) == 0
    assert capsys.readouterr().out.startswith("program 'digits' for configuration ")
    assert run(["disasm", both]) == 0
    assert capsys.readouterr().out.count(": program 'digits' for configuration ") == 2


def test_the_core_and_c_data_of_all(folder: Path) -> None:
    place = folder / "ip" / "core.v"
    assert run(["verilog", "--program", str(folder / "both.nrw"), "--wrapper", "bare", "-o", str(place)]) == 0
    header = (place.parent / "narrows_model.h").read_text(encoding="utf-8")
    assert "narrows_narrow_model" in header and "narrows_broad_model" in header
    assert "NARROWS_REG_ENTRY" in (place.parent / "narrows_core.h").read_text(encoding="utf-8")
    assert "| `0x58` | ENTRY | read, write |" in place.with_suffix(".md").read_text(encoding="utf-8")


def complaint(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of an error of the user's."""
    assert run(words) == 2
    return capsys.readouterr().err.strip()


def test_what_is_wrong_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    narrow, both, x = (str(folder / name) for name in ("narrow.nrw", "both.nrw", "x.npz"))
    output = str(folder / "other.nrw")
    assert complaint(["link", narrow, narrow, "-o", output], capsys) == (
        f"narrows: error: two programs are called narrow: name one of them, as in other={narrow}"
    )
    assert complaint(["run", both, "--input", x], capsys) == (
        f"narrows: error: {both} holds several programs (narrow, broad): say which with --program NAME"
    )
    assert "there is no program 'brood': " in complaint(["run", both, "--program", "brood", "--input", x], capsys)
    assert "cannot read program" in complaint(["link", str(folder / "none.nrw"), "-o", output], capsys)
    many = [f"p{number}={narrow}" for number in range(9)]
    assert complaint(["link", *many, "-o", output], capsys) == (
        "narrows: error: together the programs need 72 instructions, the configuration has 64 (8 too few): "
        "raise instructions to 72"
    )
    assert not Path(output).exists()
