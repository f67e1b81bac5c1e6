"""Layers whose weights depend on places, on a simulated core: every tensor and checksum is what the models say."""

import numpy as np
from placed_cases import CONFIG, PLACED_CASES, placed_program
from program_batch import check_programs
from random_graphs import random_levels


def test_core_golden_model_and_isa_model_agree(tmp_path):
    programs = [placed_program(case, tmp_path) for case in PLACED_CASES]
    rng = np.random.default_rng(6)
    samples = [np.stack([random_levels(program.graph, rng) for _ in range(2)]) for program in programs]
    reports = check_programs(CONFIG, list(zip(programs, samples, strict=True)))
    assert {case: report["differences"] for case, report in zip(PLACED_CASES, reports, strict=True)} == {
        case: [] for case in PLACED_CASES
    }
