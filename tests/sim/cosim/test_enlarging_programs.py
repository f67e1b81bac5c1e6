"""Layers that enlarge on simulated cores: every tensor, checksum and counter is what the models say."""

from __future__ import annotations

import pytest
from narrows.hw.spec.config import AcceleratorConfig
from program_batch import check_random_programs
from random_graphs import CONFIGS, random_enlarging

NAMED = ("two rows drained", "one port, wide")


@pytest.mark.parametrize("config", [CONFIGS[name] for name in NAMED], ids=NAMED)
def test_core_golden_model_and_isa_model_agree_to_the_bit_and_to_the_cycle(config: AcceleratorConfig) -> None:
    check_random_programs(config, lambda build, _seed: random_enlarging(build), 8)
