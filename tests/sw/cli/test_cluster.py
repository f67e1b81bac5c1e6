"""--cluster and --jobs of the commands: what is refused, and that results are those of one process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from narrows.sw.cli import run
from narrows.sw.program import Program


@pytest.fixture
def files(tmp_path: Path, tiny_program: Program) -> tuple[str, str]:
    tiny_program.save(tmp_path / "m.nrw")
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(3).normal(size=(3, *tiny_program.graph.input.shape)))
    return str(tmp_path / "m.nrw"), str(tmp_path / "x.npz")


def test_samples_verified_in_processes_give_the_same_report(files: tuple[str, str], tmp_path: Path) -> None:
    program, samples = files
    for jobs in ("1", "2"):
        report = tmp_path / f"{jobs}.json"
        options = ["--input", samples, "--engine", "isa", "--jobs", jobs, "--json", str(report)]
        assert run(["verify", program, *options]) == 0
    assert json.loads((tmp_path / "1.json").read_text()) == json.loads((tmp_path / "2.json").read_text())


def test_what_cannot_be_is_one_line(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed")
    program, samples = files
    command = ["verify", program, "--input", samples, "--cluster"]
    assert run([*command, "somewhere"]) == 2
    assert run([*command, "tcp://127.0.0.1:1"]) == 2
    assert run([*command, "tcp://127.0.0.1:1", "--jobs", "2"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2] for line in lines] == [
        "error: --cluster must be a scheduler's address such as tcp://192.168.1.5:8786, not 'somewhere'",
        "error: no Dask scheduler answers at tcp://127.0.0.1:1: Connection refused",
        "error: choose one of --cluster and --jobs: processes of this machine, or workers of a cluster",
    ]
