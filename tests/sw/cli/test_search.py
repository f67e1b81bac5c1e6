"""narrows search: what it leaves behind, and that it can be used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from narrows.sw.cli import run
from narrows.sw.examples import digits, digits_model
from narrows.sw.program import Program

pytest.importorskip("optuna")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    data = digits()
    with digits_model() as path:
        (folder / "model.onnx").write_bytes(path.read_bytes())
    np.savez(folder / "calib.npz", x=data.calib_x[:48])
    np.savez(folder / "data.npz", x=data.test_x[:60], y=data.test_y[:60])
    return folder


def search(folder: Path, *options: str) -> int:
    files = ("--calib", str(folder / "calib.npz"), "--data", str(folder / "data.npz"))
    return run(
        ["search", str(folder / "model.onnx"), *files, "-o", str(folder / "found"), "--preset", "tiny", *options]
    )


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_search_leaves_a_program_that_compile_makes_too(folder: Path) -> None:
    options = (
        "--weights",
        "dybit4",
        "--acts",
        "dybit4,int6",
        "--acc-bits",
        "20",
        "--trials",
        "3",
        "--max-loss",
        "5",
        "--equalise",
    )
    assert search(folder, *options, "--storage", str(folder / "study.journal"), "--images", "30") == 0
    found = folder / "found"
    summary = json.loads((found / "front.json").read_text())
    assert summary["searched"] == 3 and summary["images"] == 30 and summary["final_images"] == 60
    chosen = summary["chosen"]
    assert chosen["accuracy"] >= summary["float_accuracy"] - 0.05
    assert "<svg" in (found / "front.html").read_text()
    program = Program.load(found / "model.nrw")
    assert program.config.acc_bits == chosen["acc_bits"]

    assert "equalise = true" in (found / "formats.toml").read_text()

    again = folder / "again.nrw"
    files = ("--calib", str(folder / "calib.npz"), "--config", str(found / "config.toml"))
    formats = ("--formats", str(found / "formats.toml"))
    assert run(["compile", str(folder / "model.onnx"), *files, *formats, "-o", str(again)]) == 0
    assert Program.load(again).weights.tobytes() == program.weights.tobytes()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_point_is_trained_and_chosen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ternary formats throughout are too coarse without training."""
    pytest.importorskip("torch")
    data = digits()
    np.savez(folder / "train.npz", x=data.test_x[60:380], y=data.test_y[60:380])
    options = ("--weights", "dybit2", "--acts", "dybit2", "--bases", "dybit2", "--trials", "1", "--speed-up", "0.1")
    training = ("--train", str(folder / "train.npz"), "--epochs", "3", "--train-points", "1")
    assert search(folder, *options, *training) == 0
    assert "% after 3 epochs of training, " in capsys.readouterr().out
    found = folder / "found"
    [kept] = (found / "trained").iterdir()
    summary, program = json.loads((found / "front.json").read_text()), Program.load(found / "model.nrw")
    [before], chosen = summary["uniform"], summary["chosen"]
    assert before["epochs"] == 0 and chosen["epochs"] == 3 and chosen["accuracy"] > before["accuracy"]
    assert program.config.formats == "dybit2" and Program.load(kept).weights.tobytes() == program.weights.tobytes()
    assert "trained for 3 epochs" in (found / "front.html").read_text()


def test_mistakes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    assert search(folder, "--max-loss", "1", "--speed-up", "2") == 2
    assert "choose one bound" in capsys.readouterr().err
    np.savez(folder / "wide.npz", x=np.zeros((4, 3, 5, 5), dtype=np.float32), y=np.zeros(4, dtype=int))
    assert search(folder, "--train", str(folder / "wide.npz"), "-o", str(folder / "none")) == 2
    told = "training data must have shape (samples, 1, 8, 8), not (4, 3, 5, 5)"
    assert told in capsys.readouterr().err and not list((folder / "none").iterdir())
    assert search(folder, "--shapes", "4x4") == 2
    assert "a shape must be rows x columns x lanes such as 4x4x16, not '4x4'" in capsys.readouterr().err
    assert search(folder, "--acc-bits", "16,wide") == 2
    assert "widths must be numbers divided by commas, not '16,wide'" in capsys.readouterr().err
