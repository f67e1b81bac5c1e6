"""`narrows train` on the built-in model: what it leaves behind, and what it says when something is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from narrows.sw.cli import run
from narrows.sw.examples import digits, digits_model
from narrows.sw.program import Program

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    data = digits()
    with digits_model() as path:
        (folder / "model.onnx").write_bytes(path.read_bytes())
    np.savez(folder / "train.npz", x=data.calib_x[:160])
    np.savez(folder / "labelled.npz", x=data.test_x[:160], y=data.test_y[:160])
    np.savez(folder / "test.npz", x=data.test_x[160:260], y=data.test_y[160:260])
    return folder


def train(folder: Path, data: str, output: str, *options: str) -> int:
    command = ["train", str(folder / "model.onnx"), "--data", str(folder / data), "-o", str(folder / output)]
    return run([*command, "--preset", "tiny", "--batch", "32", "--epochs", "2", *options])


def same(first: Path, second: Path) -> bool:
    ours, theirs = Program.load(first), Program.load(second)
    return all(np.array_equal(getattr(ours, name), getattr(theirs, name)) for name in ("weights", "params"))


def test_a_trained_program_runs_and_a_resumed_run_gives_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--val", str(folder / "test.npz"), "--acc-bits", "14"]
    assert train(folder, "labelled.npz", "whole.nrw", *options, "--json", str(folder / "whole.json")) == 0
    report = json.loads((folder / "whole.json").read_text())
    assert [entry["epoch"] for entry in report["epochs"]] == [0, 1, 2]
    assert report["best"] == max(entry["judged"] for entry in report["epochs"]) >= 0.9
    assert report["float"] >= 0.9
    program = Program.load(folder / "whole.nrw")
    assert program.config.acc_bits == 14
    assert max(layer.cert_bits for layer in program.graph.layers if hasattr(layer, "cert_bits")) <= 14

    from narrows.sw.quantize.train import Trainer

    stopped = Trainer.save

    def stop(self: Trainer, path: Path) -> None:
        stopped(self, path)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "save", stop)
        assert train(folder, "labelled.npz", "parts.nrw", *options) == 130
    assert Program.load(folder / "parts.nrw").config.acc_bits == 14, "the best so far is on disk all the time"
    assert train(folder, "labelled.npz", "parts.nrw", *options, "--resume") == 0
    assert same(folder / "whole.nrw", folder / "parts.nrw")
    shown = capsys.readouterr().out
    assert shown.count("before training, judged ") == 2, "a resumed run knows what came before"
    assert f"(float {100 * report['float']:.2f} %, " in shown and "epoch 2: loss " in shown
    assert "judged by every twentieth sample" not in shown


def test_held_back_samples_that_the_float_model_may_know_are_warned_of(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(folder, "labelled.npz", "held.nrw", "--epochs", "1") == 0
    assert "warning: judged by every twentieth sample of --data: if the float model was" in capsys.readouterr().out


def test_without_labels_the_float_model_is_the_measure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(folder, "train.npz", "unlabelled.nrw", "--patience", "1") == 0
    assert "judged -0.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--accumulator", "tight"], "accumulator must be one of free, a2q, a2q+, fitted, not tight"),
        (["--weights", "dybit4", "--formats", "x.toml"], "--formats says all formats: leave out --weights and --acts"),
        (["--rate", "0"], "rate must be above 0, not 0.0"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert train(folder, "train.npz", "none.nrw", *options) == 2
    assert capsys.readouterr().err == f"narrows: error: {message}\n"


def test_a_checkpoint_of_another_run_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(folder, "labelled.npz", "first.nrw", "--epochs", "1") == 0
    assert train(folder, "labelled.npz", "first.nrw", "--epochs", "1", "--seed", "2", "--resume") == 2
    assert "is of a run with other seed: resume with the same, or start anew" in capsys.readouterr().err
