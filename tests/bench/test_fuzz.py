"""bench/fuzz.py: a slice of the campaign, that it goes on where it was stopped, and that it finds what it looks for."""

from __future__ import annotations

import faulthandler
import json
import multiprocessing.connection
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import fuzz
import numpy as np
import pytest
from campaign import fuzz_links
from campaign.fuzz_files import FILES
from campaign.fuzz_links import LINKS
from fuzz import main

Trial = Callable[[np.random.Generator], str]


def cases(number: int) -> list[np.random.Generator]:
    return [np.random.default_rng([3, case]) for case in range(number)]


@pytest.mark.parametrize("name", [*FILES, *LINKS])
def test_what_is_damaged_is_read_or_refused(name: str) -> None:
    trial: Trial = (FILES | LINKS)[name]()
    assert {trial(rng) for rng in cases(25)} <= {"answer", "refused"}


@pytest.mark.parametrize("name", FILES)
def test_a_case_can_be_made_again(name: str) -> None:
    trial = FILES[name]()
    first, again, other = (trial.make(rng) for rng in (*cases(1), *cases(2)))
    assert first == again != other


def test_a_core_answers_as_the_played_one_does(tmp_path: Path) -> None:
    file = tmp_path / "fuzz.json"
    assert main(["--targets", "core-uart", "--cases", "3", "--json", str(file)]) == 0
    assert json.loads(file.read_text())["totals"]["cases"] == 3


def test_a_campaign_goes_on_where_it_was_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "fuzz.json"
    for cases_so_far in (4, 8):
        assert main(["--targets", "config", "samples", "--cases", "4", "--seed", "5", "--json", str(file)]) == 0
        report = json.loads(file.read_text())
        assert {entry["cases"] for entry in report["targets"].values()} == {cases_so_far}
        assert report["targets"]["config"]["seeds"] == {"5": cases_so_far}
        assert sum(report["totals"]["verdicts"].values()) == report["totals"]["cases"] == 2 * cases_so_far
    before = report["targets"]["samples"]["minutes"]
    assert main(["--targets", "samples", "--minutes", str(before), "--json", str(file)]) == 0
    assert json.loads(file.read_text()) == report, "it has had its time"
    assert "seed 5: config, samples" in capsys.readouterr().out


def _abort(rng: np.random.Generator) -> str:
    faulthandler.disable()
    os.abort()


def _turn(rng: np.random.Generator) -> str:
    while True:
        pass


def _grow(rng: np.random.Generator) -> str:
    return str(len(bytearray(2 << 30)))


def _fail(rng: np.random.Generator) -> str:
    raise KeyError("nothing")


@pytest.mark.parametrize(
    ("trial", "verdict", "said"),
    [
        (_abort, "DIED", "exit code -6"),
        (_turn, "HANG", ""),
        (_grow, "MEMORY", "MemoryError"),
        (_fail, "FAULT", "KeyError"),
    ],
)
def test_what_must_not_happen_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trial: Trial, verdict: str, said: str
) -> None:
    monkeypatch.setitem(fuzz.TARGETS, "config", lambda: trial)
    file = tmp_path / "fuzz.json"
    limit = ["--limit", "1"] if trial is _turn else []
    assert main(["--targets", "config", "--cases", "2", *limit, "--json", str(file)]) == 1
    [first, second] = json.loads(file.read_text())["targets"]["config"]["findings"]
    assert (first["verdict"], first["number"], second["number"]) == (verdict, 0, 1)
    assert said in first["said"]


class Worker:
    """One that has had so much processor time at each look."""

    answers = None

    def __init__(self, *spent: float) -> None:
        self._spent = iter(spent)

    def spent(self) -> float:
        return next(self._spent)


def test_who_only_waits_for_the_processor_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([False, False, True])
    monkeypatch.setattr(multiprocessing.connection, "wait", lambda *_, **__: next(looks))
    assert fuzz._in_time(cast(Any, Worker(3, 5, 9)), limit=10)


@pytest.mark.parametrize("spent", [(3, 5, 14), (0,) * (fuzz._PATIENCE + 1)])
def test_who_computes_or_sleeps_for_long_hangs(monkeypatch: pytest.MonkeyPatch, spent: tuple[float, ...]) -> None:
    monkeypatch.setattr(multiprocessing.connection, "wait", lambda *_, **__: False)
    worker = Worker(*spent)
    assert not fuzz._in_time(cast(Any, worker), limit=10)
    assert list(worker._spent) == [], "not a look more or less"


@pytest.mark.parametrize("name", ["host-uart", "host-usb", "host-spi"])
def test_words_that_are_lost_are_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async def lose(self: object, address: int, values: object) -> None: ...

    monkeypatch.setattr(fuzz_links._Words, "write", lose)
    trial = LINKS[name]()
    with pytest.raises(AssertionError, match=r"words at 0x[0-9a-f]+ are others when they are read"):
        _ = [trial(rng) for rng in cases(40)]
