"""Compiled random graphs on simulated cores: every tensor, checksum and counter is what the models say."""

from __future__ import annotations

import itertools

import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.verilog import to_verilog
from narrows.sim.cosim.core_source import GivenVerilog
from narrows.sw.quantised import QuantisedGraph
from program_batch import check_programs, check_random_programs, fitting_programs
from random_graphs import CONFIGS, GraphBuilder, random_chain, random_config

PROGRAMS = 8
NAMED = ("two rows drained", "four rows drained", "one port", "one port, wide", "e2m1")


def chain(build: GraphBuilder, _seed: int) -> QuantisedGraph:
    return random_chain(build, 3)


@pytest.mark.parametrize(
    "config",
    [random_config(3), random_config(14), *(CONFIGS[name] for name in NAMED)],
    ids=["2x8x8", "3x1x4", *NAMED],
)
def test_core_golden_model_and_isa_model_agree_to_the_bit_and_to_the_cycle(config: AcceleratorConfig) -> None:
    check_random_programs(config, chain, PROGRAMS)


def test_they_agree_in_a_spread_core() -> None:
    assert CONFIGS["spread"].spread
    check_random_programs(CONFIGS["spread"], chain, PROGRAMS)


def test_they_agree_without_the_tables_that_simulators_take_for_multipliers() -> None:
    config = CONFIGS["e2m1"]
    text = to_verilog(config)
    assert text.count("`ifdef VERILATOR\n") == 4  # recoding and multiplying, each in two forms
    own = GivenVerilog(config, text.replace("`ifdef VERILATOR\n", "`ifdef NARROWS_TABLES\n"))
    programs = [program for _, program in itertools.islice(fitting_programs(config, chain), PROGRAMS)]
    assert [report["differences"] for report in check_programs(config, programs, verilog=own)] == [[]] * PROGRAMS
