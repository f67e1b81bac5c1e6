"""Compiled random graphs on simulated cores: every tensor, checksum and counter is what the models say."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError, CertificateError
from program_batch import check_programs
from random_graphs import CONFIGS, GraphBuilder, random_chain, random_config, random_levels

PROGRAMS = 8
NAMED = ("two rows drained", "four rows drained", "one port", "one port, wide", "e2m1")


@pytest.mark.parametrize(
    "config",
    [random_config(3), random_config(14), *(CONFIGS[name] for name in NAMED)],
    ids=["2x8x8", "3x1x4", *NAMED],
)
def test_core_golden_model_and_isa_model_agree_to_the_bit_and_to_the_cycle(config: AcceleratorConfig) -> None:
    check(config)


def test_they_agree_in_a_spread_core() -> None:
    assert CONFIGS["spread"].spread
    check(CONFIGS["spread"])


def check(config: AcceleratorConfig) -> None:
    programs, seed = {}, 0
    while len(programs) < PROGRAMS:
        seed += 1
        rng = np.random.default_rng(seed)
        try:
            program = compile_graph(random_chain(GraphBuilder(config, rng), 3), config)
        except (CapacityError, CertificateError):
            continue
        programs[seed] = program, np.stack([random_levels(program.graph, rng) for _ in range(2)])
    reports = dict(zip(programs, check_programs(config, list(programs.values())), strict=True))
    assert {seed: report["differences"] for seed, report in reports.items()} == {seed: [] for seed in programs}
    assert all(min(report["cycles"]) > 0 for report in reports.values())
