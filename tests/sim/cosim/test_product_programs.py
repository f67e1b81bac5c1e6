"""Products of two tensors on simulated cores: every tensor, checksum and counter is what the models say."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError, CertificateError
from program_batch import check_programs
from random_graphs import GraphBuilder, random_chain, random_levels
from random_products import PRODUCT_CONFIGS, random_products

PROGRAMS = 12
NAMED = ("three rows", "one port", "spread, without pairs")


@pytest.mark.parametrize("config", [PRODUCT_CONFIGS[name] for name in NAMED], ids=NAMED)
def test_core_golden_model_and_isa_model_agree_to_the_bit_and_to_the_cycle(config: AcceleratorConfig) -> None:
    programs, seed = {}, 0
    while len(programs) < PROGRAMS:
        seed += 1
        rng = np.random.default_rng(seed)
        make = random_chain if seed % 4 == 0 else random_products
        try:
            program = compile_graph(make(GraphBuilder(config, rng), 2), config)
        except (CapacityError, CertificateError):
            continue
        programs[seed] = program, np.stack([random_levels(program.graph, rng) for _ in range(2)])
    reports = dict(zip(programs, check_programs(config, list(programs.values())), strict=True))
    assert {seed: report["differences"] for seed, report in reports.items()} == {seed: [] for seed in programs}
    assert all(min(report["cycles"]) > 0 for report in reports.values())
