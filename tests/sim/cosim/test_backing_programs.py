"""Compiled programs on a core with a backing store: exact, and as long as the cycle model says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError, CertificateError
from program_batch import check_programs
from random_graphs import CONFIGS, GraphBuilder, random_chain, random_levels

CONFIG = dataclasses.replace(
    CONFIGS["square"], backing="axi4", instructions=1024, act_words=256, weight_words=128, param_words=16
)
PROGRAMS = 6


@pytest.fixture(scope="module")
def programs():
    """Programs by seed, each with two samples; some of them keep tensors outside."""
    found, seed = {}, 0
    while len(found) < PROGRAMS:
        rng = np.random.default_rng(seed := seed + 1)
        try:
            program = compile_graph(random_chain(GraphBuilder(CONFIG, rng), 3), CONFIG)
        except (CapacityError, CertificateError):
            continue
        if program.external or len(found) < PROGRAMS // 2:
            found[seed] = program, np.stack([random_levels(program.graph, rng) for _ in range(2)])
    return found


@pytest.mark.parametrize(
    "bus",
    [{"latency": 64, "pace": 1, "stall": 0}, {"latency": 20, "pace": 4, "stall": 0}, {"latency": 5, "stall": 150}],
    ids=["64 cycles away", "a quarter of the bandwidth", "stalling"],
)
def test_every_layer_is_exact_and_the_cycle_model_within_two_percent(programs, bus: dict[str, int]) -> None:
    reports = dict(zip(programs, check_programs(CONFIG, list(programs.values()), bus=bus), strict=True))
    assert {seed: report["differences"] for seed, report in reports.items()} == {seed: [] for seed in programs}
    if not bus["stall"]:
        for seed, report in reports.items():
            assert report["cycles"] == pytest.approx(report["model"]["cycles"], rel=0.02), seed
            waits = [sum(report[f"stall_{cause}"]) for cause in ("load", "store", "token")]
            model = [sum(report["model"][f"stall_{cause}"]) for cause in ("load", "store", "token")]
            assert waits == pytest.approx(model, abs=0.02 * sum(report["cycles"])), seed
