"""`bench/quantisation/formats_trained.py`: one row on made-up images, and going on with what is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import formats_trained
from narrows.sw.examples import digits, digits_model


def _images(folder: Path) -> Path:
    data = digits()
    np.savez(folder / "x.npz", x_train=data.calib_x, y_train=data.calib_x[:, 0, 0, 0].astype(np.uint8) % 10,
             x_test=data.test_x, y_test=data.test_y)  # fmt: skip
    return folder / "x.npz"


def test_rows_are_measured_once_and_summed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(formats_trained, "_luts", lambda base, *_: {"e2m1": 31.5, "dybit4": 34.6}[base])
    given = {"data": _images(tmp_path), "images": 64, "test_images": 100, "epochs": 1, "rate": 1e-3,
             "acc_bits": 16, "rescale_bits": 4, "work": tmp_path / "work", "cache": tmp_path}  # fmt: skip
    with digits_model() as model:
        for seeds, only in (("1", ["e2m1:e2m1"]), ("1,2", ["e2m1:e2m1"]), ("1", ["dybit2:dybit4", "e2m1:e2m1"])):
            formats_trained.main(tmp_path / "rows.json", model=model, seeds=seeds, only=only, **given)
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [(row["weights"], row["acts"], row["seed"]) for row in rows] == [
        ("e2m1", "e2m1", 1),
        ("e2m1", "e2m1", 2),
        ("dybit2", "dybit4", 1),
    ]
    assert all(0.5 < row["accuracy"] <= 1 and row["cycles"] > 1000 for row in rows)
    assert [row["lut_per_unit"] for row in rows] == [31.5, 31.5, 34.6]
    first, second = formats_trained.summary(rows)
    shares = [100 * row["accuracy"] for row in rows[:2]]
    assert first[:5] == ("e2m1", "e2m1", "16", "1 x 64", "2")
    assert first[5] == f"{np.mean(shares):.2f} +- {np.std(shares, ddof=1):.2f}"
    assert second[4] == "1"
    assert capsys.readouterr().out.count(", epoch 1: loss") == 3


def test_edges_and_other_settings_are_runs_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats_trained, "_luts", lambda *_: 30.0)
    plain = {"data": _images(tmp_path), "images": 64, "test_images": 50, "epochs": 1, "rate": 1e-3, "seeds": "1",
             "acc_bits": 16, "rescale_bits": 4, "work": tmp_path / "work", "cache": tmp_path,
             "only": ["dybit2:e2m1"]}  # fmt: skip
    with digits_model() as model:
        for more in ({}, {"edges": "e2m1"}, {"edges": "e2m1"}, {"given": ["optimiser=momentum"]}):
            formats_trained.main(tmp_path / "rows.json", model=model, programs=tmp_path, **plain, **more)
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [row["edge_weights"] for row in rows] == ["", "e2m1", ""]
    assert [row["recipe"].get("optimiser") for row in rows] == [None, None, "momentum"]
    programs = sorted(path.name for path in tmp_path.glob("*.nrw"))
    assert programs == ["resnet8-dybit2-e2m1-edges-e2m1-p16-k4.nrw", "resnet8-dybit2-e2m1-p16-k4.nrw"]
    assert [line[:2] for line in formats_trained.summary(rows)] == [
        ("dybit2", "e2m1"),
        ("dybit2, edges e2m1", "e2m1"),
        ("dybit2", "e2m1"),
    ]
