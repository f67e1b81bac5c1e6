"""Activity from a program's side: rows by module, and what is asked of samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import narrows
import numpy as np
import pytest
from narrows.sim.cosim import activity as measuring
from narrows.sim.cosim.activity import Activity
from narrows.sim.cosim.saif import Switching
from narrows.sw.api.activity import activity_rows
from narrows.sw.cli.app import run
from narrows.sw.errors import InputError

FOUND = Activity(
    samples=2,
    cycles=100,
    modules={
        (): Switching(10, 50),
        ("compute",): Switching(20, 100),
        ("compute", "array"): Switching(40, 800),
        ("host",): Switching(30, 50),
    },
)


@pytest.fixture(scope="module")
def program() -> narrows.Program:
    digits = narrows.example()
    return digits.model.quantize(digits.calib[:16]).compile("tiny")


def test_modules_count_with_all_that_is_in_them() -> None:
    rows = activity_rows(FOUND, 1)
    assert [row["module"] for row in rows] == ["core", "compute", "host"]
    assert rows[1] == {
        "module": "compute",
        "bits": 60,
        "toggles_per_cycle": 9.0,
        "activity": 9.0 / 60,
        "share": 0.9,
    }
    assert [row["module"] for row in activity_rows(FOUND, 2)] == ["core", "compute", "compute.array", "host"]


def test_the_command_shows_and_writes_them(
    program: narrows.Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(compiled: Any, levels: Any, *, saif: Path, **_: Any) -> Activity:
        assert len(levels) == 3
        saif.write_text("(SAIFILE)")
        return FOUND

    monkeypatch.setattr(measuring, "measure_activity", measured)
    program.save(tmp_path / "digits.nrw")
    np.savez(tmp_path / "x.npz", x=narrows.example().x[:5])
    command = ["activity", str(tmp_path / "digits.nrw"), "--input", str(tmp_path / "x.npz")]
    assert run([*command, "--saif", str(tmp_path / "a.saif"), "--json", str(tmp_path / "a.json")]) == 0
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "samples": 2,
        "cycles": 100,
        "modules": activity_rows(FOUND, 1),
    }
    shown = capsys.readouterr().out
    assert "compute" in shown and "90.0%" in shown and "a.saif" in shown


def test_one_sample_is_too_few(program: narrows.Program) -> None:
    with pytest.raises(InputError, match="two samples at least"):
        program.activity(narrows.example().x[:1])
