"""What becomes of errors that nobody foresaw, and of a request to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from narrows.sw.cli import app, run


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def failing(error: BaseException) -> object:
    def program(arguments: list[str], standalone_mode: bool) -> None:
        raise error

    return program


def test_a_fault_is_one_line_and_its_traceback_a_file(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "app", failing(KeyError("a\nb")))
    assert run(["compile", "m.onnx"]) == 2
    (left,) = scratch.iterdir()
    line = capsys.readouterr().err
    assert line == f"narrows: error: this should not happen (KeyError: 'a\\nb'): please report it with {left}\n"
    text = left.read_text()
    assert text.startswith("narrows compile m.onnx\n")
    assert "Traceback (most recent call last)" in text


def test_running_out_of_memory_is_one_line(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "app", failing(MemoryError()))
    assert run([]) == 2
    assert capsys.readouterr().err.startswith("narrows: error: not enough memory: ")
    assert not list(scratch.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_request_to_stop_lets_scratch_files_go(tmp_path: Path) -> None:
    program = f"""
import time
from narrows.sw.cli import app
from narrows.sw.files import new_file

def program(arguments, standalone_mode):
    with new_file(__import__("pathlib").Path({str(tmp_path / "result")!r})):
        print("ready", flush=True)
        time.sleep(60)

app.app = program
app.main()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    assert not list(tmp_path.iterdir())
