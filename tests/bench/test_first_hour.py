"""bench/first_hour.py: the page's steps in their order, run with an interpreter, with a played board for a real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import first_hour
import pytest
from first_hour import PAGE, Step, steps_of


def test_the_steps_are_those_of_the_page() -> None:
    steps = steps_of(PAGE.read_text(encoding="utf-8"))
    assert [step.name for step in steps] == [
        "program with numpy", "doctor", "compile", "run", "verify", "report", "explain",
        "board build", "board flash", "board run", "program with numpy", "program with torch", "program with keras",
    ]  # fmt: skip
    assert steps[3].words == ("run", "model.nrw", "--input", "test.npz")


class _Ran:
    """Takes the place of `subprocess.run`."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], *, cwd: Path, check: bool) -> None:
        assert check
        self.commands.append(list(map(str, command)))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> _Ran:
    ran = _Ran()
    monkeypatch.setattr(first_hour.subprocess, "run", ran)
    return ran


PLAYER = "import time; print('iCEBreaker: /dev/pts/7; open it with --baud 19200', flush=True); time.sleep(99)"


@pytest.mark.parametrize("placement", [True, False])
def test_commands_get_few_samples_and_a_played_board(
    placement: bool, ran: _Ran, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    popen = subprocess.Popen
    monkeypatch.setattr(
        first_hour.subprocess, "Popen", lambda command, **options: popen([sys.executable, "-c", PLAYER], **options)
    )
    done = list(first_hour.first_hour(tmp_path, Path("py"), placement=placement, frameworks=("torch",)))
    names = [step.name for step, _ in done]
    assert ("board build" in names) is placement and "board flash" not in names
    assert "program with torch" in names and "program with keras" not in names
    board = next(command for command in ran.commands if "board" in command and "run" in command)
    assert board == [
        "py", "-m", "narrows", "board", "run", "icebreaker", "model.nrw", "--port", "/dev/pts/7", "--input", "test.npz",
        "--check", "--baud", "19200", "--limit", "2",
    ]  # fmt: skip
    assert ["py", "-m", "narrows", "run", "model.nrw", "--input", "test.npz", "--limit", "20"] in ran.commands


def test_a_board_that_cannot_be_played_is_a_failure(ran: _Ran, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    popen = subprocess.Popen
    monkeypatch.setattr(
        first_hour.subprocess, "Popen", lambda command, **options: popen([sys.executable, "-c", "exit(3)"], **options)
    )
    with pytest.raises(subprocess.CalledProcessError, match="exit status 3"):
        list(first_hour.first_hour(tmp_path, Path("py"), placement=False, frameworks=()))


def test_a_program_is_named_by_its_framework() -> None:
    assert Step((), "import os\n\nimport keras\nimport narrows\n").name == "program with keras"
