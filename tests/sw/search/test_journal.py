"""Journal: what a killed writer left goes, what is whole stays."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from narrows.sw.search.journal import Journal

LONG = {"text": "x" * 10_000}


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Optuna's marks of what is experimental
        yield


@pytest.mark.parametrize("half", [b"", b"{", b'{"number": 2}', b'{"text": "' + b"y" * 9_000])
def test_a_half_line_is_cut_before_the_next_record(tmp_path: Path, half: bytes) -> None:
    path = tmp_path / "journal"
    Journal(str(path)).append_logs([{"number": 0}, LONG])
    path.write_bytes(path.read_bytes() + half)
    journal = Journal(str(path))
    assert list(journal.read_logs(0)) == [{"number": 0}, LONG]
    journal.append_logs([{"number": 3}])
    assert list(journal.read_logs(0)) == [{"number": 0}, LONG, {"number": 3}]
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"number": 0}, LONG, {"number": 3}]
    assert [each.name for each in tmp_path.iterdir()] == ["journal"], "no lock is left"


def test_a_journal_of_half_a_line_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"number"')
    journal = Journal(str(path))
    assert list(journal.read_logs(0)) == []
    journal.append_logs([LONG])
    assert list(journal.read_logs(0)) == [LONG]


def test_one_that_is_locked_is_left_to_its_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    journal = Journal(str(path))
    path.write_bytes(b"{")

    def writes_on() -> bool:
        path.write_bytes(b'{"number": 1}\n')
        return acquire()

    acquire = journal._guard.acquire
    monkeypatch.setattr(journal._guard, "acquire", writes_on)
    journal.append_logs([{"number": 2}])
    assert list(journal.read_logs(0)) == [{"number": 1}, {"number": 2}]
