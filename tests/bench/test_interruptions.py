"""bench/campaign/interruptions.py: whatever happens to a run, the next one is exact; and a wrong one is reported."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from campaign.interrupted_runs import EVENTS
from campaign.interruptions import interrupt_runs
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.program import Program
from numpy.typing import NDArray
from program_batch import fitting_programs
from random_graphs import random_chain

BACKED = AcceleratorConfig(
    rows=2, columns=4, lanes=4, rescalers=2, acc_bits=26, rescale_bits=6, act_words=128, weight_words=64,
    param_words=16, taps=128, blocks=128, instructions=128, backing="axi4",
)  # fmt: skip
PLAIN = AcceleratorConfig(
    rows=2, columns=4, lanes=4, rescalers=2, acc_bits=26, rescale_bits=6, act_words=256, weight_words=512,
    param_words=64, taps=128, blocks=128, instructions=32,
)  # fmt: skip


def _program(config: AcceleratorConfig) -> tuple[Program, NDArray[np.int64]]:
    [(_, drawn)] = itertools.islice(fitting_programs(config, lambda build, _: random_chain(build, 3)), 1)
    return drawn


@pytest.mark.parametrize("config", [PLAIN, BACKED], ids=["plain", "backed"])
def test_the_next_run_is_exact(config: AcceleratorConfig) -> None:
    report = interrupt_runs(*_program(config), points=60, seed=4)
    assert report.wrong == []
    events = EVENTS if config.has_backing else EVENTS[:3]
    assert report.points == dict.fromkeys(events, 60 // len(events))
    assert report.ends["doorbell: exact"] == report.points["doorbell"]
    assert report.ends["clear: given up"] > 0
    if config.has_backing:
        assert report.ends["pause of the bus: exact"] == 10
        assert report.ends["bus error: BUS"] > 0


def test_an_unplugged_line_costs_a_run_at_most() -> None:
    config = dataclasses.replace(PLAIN, host="uart", uart_divisor=4, frame_bytes=1024)
    report = interrupt_runs(*_program(config), points=12, seed=4)
    assert report.wrong == []
    assert report.points == {"unplugged": 12} and report.ends.total() == 12
    given_up = "unplugged: no core answers on the serial line after 8 tries: check speed, wiring and power"
    assert set(report.ends) == {"unplugged: exact", given_up}


def test_a_wrong_run_is_reported() -> None:
    program, levels = _program(PLAIN)
    spoilt = dataclasses.replace(program, weights=np.zeros_like(program.weights))  # of which the golden model knows not
    report = interrupt_runs(spoilt, levels, points=3, seed=4)
    assert [entry["next"] for entry in report.wrong if "next" in entry] == ["wrong"] * 3
    assert [entry["event"] for entry in report.wrong if "run" in entry] == ["doorbell"]
