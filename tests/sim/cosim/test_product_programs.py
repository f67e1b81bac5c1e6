"""Products of two tensors on simulated cores: every tensor, checksum and counter is what the models say."""

from __future__ import annotations

import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.quantised import QuantisedGraph
from program_batch import check_random_programs
from random_graphs import GraphBuilder, random_chain
from random_products import PRODUCT_CONFIGS, random_products

PROGRAMS = 12
NAMED = ("three rows", "one port", "spread, without pairs")


def mostly_products(build: GraphBuilder, seed: int) -> QuantisedGraph:
    return (random_products if seed % 4 else random_chain)(build, 2)


@pytest.mark.parametrize("config", [PRODUCT_CONFIGS[name] for name in NAMED], ids=NAMED)
def test_core_golden_model_and_isa_model_agree_to_the_bit_and_to_the_cycle(config: AcceleratorConfig) -> None:
    check_random_programs(config, mostly_products, PROGRAMS)
