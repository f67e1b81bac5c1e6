"""`bench/quantisation/reconstruction.py`: one point with and without, and going on with what is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

pytest.importorskip("torch")

import reconstruction
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model


def test_rows_are_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, asked = digits(), []

    def task(model: str, calibration: int, images: int, seed: int) -> reconstruction.Task:
        asked.append((model, calibration, images, seed))
        with digits_model() as path:
            return reconstruction.Task(
                load_model(path), data.calib_x[:calibration], data.test_x[:images], data.test_y[:images]
            )

    monkeypatch.setattr(reconstruction, "_task", task)
    for _ in range(2):
        reconstruction.main(
            tmp_path / "rows.json", only=["digits:dybit3:dybit4:16"], images=50, calibration=16, changed=["steps=3"]
        )
    assert asked == [("digits", 16, 50, 0)] * 2
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [(row["reconstructed"], row["changed"], bool(row["blocks"])) for row in rows] == [
        (False, "", False), (True, "steps=3", True)
    ]  # fmt: skip
    assert all(row["accuracy"] > 0.8 and row["agreement"] > 0.8 for row in rows)
    assert "reconstruction on calibration samples" in capsys.readouterr().out


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match=r"--set knows steps, .* not depth"):
        reconstruction.main(tmp_path / "rows.json", changed=["depth=3"])
