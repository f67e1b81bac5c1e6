"""Flipped bits in the simulated core: found where the ISA model finds them, and never a wrong answer."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from flip_batch import findings, flip_runs, what_comes
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import INSTRUCTION_WORDS
from narrows.hw.spec.protection import PROTECTED, StoredBit, stored_bits
from narrows.hw.spec.registers import Region, region_depth
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, run_sync
from numpy.typing import NDArray
from program_batch import check_random_programs, fitting_programs
from random_graphs import random_chain

PARITY = AcceleratorConfig(
    rows=2, columns=4, lanes=4, rescalers=2, act_words=1024, weight_words=1024, param_words=64, taps=64, blocks=64,
    instructions=16, tables=1, protection="parity",
)  # fmt: skip
SECDED = dataclasses.replace(PARITY, protection="secded")


def _program(config: AcceleratorConfig) -> tuple[Program, NDArray[np.int64]]:
    [(_, drawn)] = itertools.islice(fitting_programs(config, lambda build, _: random_chain(build, 4)), 1)
    return drawn


@pytest.mark.parametrize("config", [PARITY, SECDED], ids=["parity", "secded"])
def test_core_and_model_find_the_same(config: AcceleratorConfig) -> None:
    program, levels = _program(config)
    rng = np.random.default_rng(7)
    ends = {region: len(words) for region, words in program.memories.items() if len(words)}
    ends[Region.INSTRUCTIONS] = len(program.instructions) * INSTRUCTION_WORDS
    flips = []
    for region in PROTECTED:
        for word in rng.integers(ends.get(region, region_depth(config, region)), size=8).tolist():
            bit = stored_bits(config, region)[rng.integers(len(stored_bits(config, region)))]
            flips.append((region.name, word, *bit))
    expected = []
    for name, word, granule, place in flips:
        transport = IsaTransport(config)
        driver = Driver(transport, config)
        run_sync(driver.load(program))
        transport.machine.flip(Region[name], word, StoredBit(granule, place))
        expected.append(run_sync(what_comes(driver, transport, levels[0])))
    assert dict(zip(flips, findings(program, levels[:1], flips), strict=True)) == dict(
        zip(flips, expected, strict=True)
    )
    assert sum("MEMORY_ERROR" in text for text in expected) > len(flips) // 4


@pytest.mark.parametrize("config", [PARITY, SECDED], ids=["parity", "secded"])
def test_one_flip_at_any_moment_is_never_a_wrong_answer(config: AcceleratorConfig) -> None:
    program, levels = _program(config)
    found = flip_runs(program, levels[:1], count=12, flips=1, seed=3, regions=(Region.BLOCKS, Region.WEIGHTS))
    assert all(verdicts["silent"] == verdicts["stopped"] == 0 for verdicts in found.values()), found
    assert all(sum(verdicts.values()) == 12 for verdicts in found.values()), found


@pytest.mark.parametrize(
    "changes", [{"fabric": "ice40", "protection": "secded"}, {"backing": "axi4"}], ids=["ice40", "axi4"]
)
def test_a_protected_core_computes_as_any_other(changes: dict[str, str]) -> None:
    check_random_programs(dataclasses.replace(PARITY, **changes), lambda build, _: random_chain(build, 3), 3)
