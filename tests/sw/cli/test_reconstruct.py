"""`narrows compile --reconstruct` on the built-in model: what it says, and what it leaves behind."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from narrows.sw.cli import run
from narrows.sw.examples import digits, digits_model
from narrows.sw.program import Program

pytest.importorskip("torch")


def test_it_says_what_was_gained_and_the_record_keeps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from narrows.sw.quantize.train import reconstruct

    quick = functools.partial(reconstruct.ReconstructionSettings, steps=5, batch=8)
    monkeypatch.setattr(reconstruct, "ReconstructionSettings", quick)
    with digits_model() as path:
        (tmp_path / "model.onnx").write_bytes(path.read_bytes())
    np.savez(tmp_path / "calib.npz", x=digits().calib_x[:32])
    model, calib, program = (str(tmp_path / name) for name in ("model.onnx", "calib.npz", "m.nrw"))
    options = ["--preset", "tiny", "--weights", "dybit3", "--json", str(tmp_path / "m.json")]
    assert run(["compile", model, "--calib", calib, "-o", program, "--reconstruct", *options]) == 0
    said = capsys.readouterr()
    assert "error of blocks on samples held back" in said.out + said.err
    blocks = json.loads((tmp_path / "m.json").read_text())["reconstruction"]
    assert blocks
    assert all(each["kept"] == (each["after"] < each["before"]) for each in blocks)
    record = Program.load(Path(program)).record
    assert record["reconstruction"] == blocks
    assert record["settings"]["reconstruct"] is True
