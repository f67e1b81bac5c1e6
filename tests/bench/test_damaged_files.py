"""bench/damaged_files.py: a slice of the campaign, and that it finds what it looks for."""

from __future__ import annotations

import argparse
from pathlib import Path

import damaged_files
import pytest
from campaign.damaged_tasks import judge_files
from damaged_files import KINDS, main, make_damaged, make_whole


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    make_whole(folder)
    return folder


def test_a_slice_ends_in_answers_or_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--files", "60", "--first", "100000", "--workers", "1", "--json", str(tmp_path / "report.json")]) == 0
    assert "60 files in " in capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_can_be_made_again(whole: Path, kind: str) -> None:
    content, command = make_damaged(whole, kind, 7)
    assert make_damaged(whole, kind, 7) == (content, command)
    assert content != (whole / KINDS[kind].whole).read_bytes()


def test_a_traceback_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("narrows.sw.archives.InputError", KeyError)  # no longer what the command line expects
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    make = damaged_files.make_damaged
    monkeypatch.setattr(damaged_files, "make_damaged", lambda *of: (b"", make(*of)[1]))
    assert main(["--files", "2", "--formats", "samples", "--workers", "1"]) == 1
    assert "2 ended badly" in capsys.readouterr().out


def test_files_judged_elsewhere_are_those_judged_here(whole: Path) -> None:
    tasks = [("samples", 3), ("config", 4), ("samples", 5)]
    files = {path.name: path.read_bytes() for path in whole.iterdir()}
    here = list(damaged_files.judged(tasks, whole, argparse.Namespace(workers=1, seconds=60, keep=None)))
    assert [each[:3] for each in judge_files((files, 60), tasks)] == [each[:3] for each in here]
