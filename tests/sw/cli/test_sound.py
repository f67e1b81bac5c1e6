"""Sound as samples: calibrated, run and verified from WAV files, with times, and when a wake word was heard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from narrows.sw.audio import features_of, frame_times
from narrows.sw.audio.detection import heard
from narrows.sw.cli import run
from sounds import sounds, write_wav
from wake_models import wake_model

SAMPLES = sounds(1.5, np.random.default_rng(8))["bursts"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    wav, model = write_wav(folder / "x.wav", SAMPLES), wake_model(folder / "wake.onnx")
    formats = ["--weights", "int8", "--acts", "int8", "--preset", "medium", "--acc-bits", "24"]
    where = ["--state", "kept=newest", "--calib", str(wav), "-o", str(folder / "m.nrw")]
    assert run(["compile", str(model), *formats, *where]) == 0
    return folder / "m.nrw"


def test_frames_have_times_and_the_wake_word_is_told(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wav = program.parent / "x.wav"
    results = ["-o", str(tmp_path / "y.npz"), "--json", str(tmp_path / "r.json")]
    detect = ["--detect", "0.6", "--mean-of", "2"]
    assert run(["run", str(program), "--input", str(wav), "--engine", "golden", *detect, *results]) == 0
    lines = features_of(SAMPLES)
    count = len(lines) // 3
    times = frame_times(count, 3)
    given = np.load(tmp_path / "y.npz")["y"]
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in shown[:count]] == [f"{time:.2f} s" for time in times]
    above = heard(given, 0.6, 2)
    first = times[above & ~np.concatenate([[False], above[:-1]])]
    assert len(first) > 0 and json.loads((tmp_path / "r.json").read_text())["detections"] == first.round(3).tolist()
    np.savez(tmp_path / "lines.npz", x=lines)
    stream = ["--input", str(tmp_path / "lines.npz"), "--stream", "--engine", "golden", "-o", str(tmp_path / "z.npz")]
    assert run(["run", str(program), *stream]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "z.npz")["y"], given)


def test_engines_are_compared_on_sound(program: Path) -> None:
    wav = str(program.parent / "x.wav")
    assert run(["verify", str(program), "--input", wav, "--limit", "4", "--engine", "isa"]) == 0


def test_what_is_wrong_with_sound_is_one_line(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fast = write_wav(tmp_path / "fast.wav", SAMPLES, rate=48_000)
    short = write_wav(tmp_path / "short.wav", SAMPLES[:500])
    np.savez(tmp_path / "x.npz", x=np.zeros((2, 3, 40), dtype=np.float32))
    for arguments, said in (
        (["--input", str(fast)], "fast.wav has 1 channel of 16 bits at 48000 Hz"),
        (["--input", str(short)], "a recording of 1 x 40 values has no frames of 3 x 40"),
        (["--input", str(tmp_path / "x.npz"), "--detect", "0.5"], "--detect is for streams"),
    ):
        assert run(["run", str(program), *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("narrows: error: ") and said in error and error.count("\n") == 1


def test_the_front_end_in_c_goes_beside_the_driver(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    top = tmp_path / "ip" / "core.v"
    assert run(["verilog", "--program", str(program), "--wrapper", "spi", "--audio", "-o", str(top)]) == 0
    assert {f"narrows_audio{end}" for end in (".h", ".c", "_tables.h")} <= {path.name for path in top.parent.iterdir()}
    assert run(["verilog", "--program", str(program), "--audio", "-o", str(top)]) == 2
    assert "choose a wrapper, too" in capsys.readouterr().err
