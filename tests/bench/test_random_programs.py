"""bench/random_programs.py: cores with all options, totals that add up, and a report that goes on where it stopped."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import random_programs
from narrows.hw.spec.config import AcceleratorConfig
from program_batch import Trials, check_seeds
from random_cores import BUS_HOSTS, random_core, random_graph
from random_programs import main


def test_every_option_is_drawn() -> None:
    cores = [random_core(seed) for seed in range(60)]
    seen = {field.name: {getattr(core, field.name) for core in cores} for field in dataclasses.fields(cores[0])}
    beside = {"uart_divisor", "boot", "flash_offset", "flash_divisor", "rounds_to", "taps", "gated"}
    assert {name for name, values in seen.items() if len(values) == 1} <= beside
    assert seen["host"] == set(BUS_HOSTS)
    assert seen["protection"] == {"none", "parity", "secded"}
    assert random_core(7) == cores[7]


def test_random_programs_of_all_kinds_agree_on_the_models() -> None:
    trials = Trials(config=random_core(4), layers=2, draw=random_graph, simulates=False)
    reports, refused = check_seeds(trials, range(15, 25))
    assert len(reports) + refused == 10
    assert [report["differences"] for report in reports.values()] == [[]] * len(reports)
    assert len({len(report["cycles"]) for report in reports.values()}) == 2  # streams take two frames


def test_a_report_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(random_programs, "_PART", 2)
    path = tmp_path / "report.json"
    command = ["--models", "--config", "random:4-5", "--layers", "1", "--json", str(path)]
    assert main([*command, "--seeds", "0:2"]) == 0
    first = json.loads(path.read_text())
    assert main([*command, "--seeds", "0:4"]) == 0
    second = json.loads(path.read_text())
    assert [report["done"] for report in second["configurations"].values()] == [["0:2", "2:4"]] * 2
    for name in ("programs", "refused", "instructions", "cycles"):
        rows = second["configurations"].values()
        assert second["totals"][name] == sum(row[name] for row in rows) >= first["totals"][name]
    assert second["totals"]["programs"] + second["totals"]["refused"] == 8
    assert "2 configurations" in capsys.readouterr().out


def test_programs_that_differ_are_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong = {"differences": ["tensor t1 differs"], "instructions": 1, "cycles": [5]}
    monkeypatch.setattr(random_programs, "check_seeds", lambda trials, seeds: ({seeds[0]: wrong}, len(seeds) - 1))
    path = tmp_path / "report.json"
    assert main(["--config", "square", "--seeds", "3:5", "--json", str(path)]) == 1
    [report] = json.loads(path.read_text())["configurations"].values()
    assert report["different"] == {"3": ["tensor t1 differs"]}
    assert AcceleratorConfig.from_dict(report["parameters"]) == random_programs.CONFIGS["square"]
