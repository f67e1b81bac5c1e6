"""Compiled programs on a core with a backing store: exact, and as long as the cycle model says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.isa import Opcode, decode_instruction
from narrows.hw.spec.registers import Region
from narrows.sw.program import Program
from numpy.typing import NDArray
from program_batch import check_programs, fitting_programs
from random_graphs import CONFIGS, random_chain, random_enlarging

CONFIG = dataclasses.replace(
    CONFIGS["square"],
    backing="axi4",
    drain_rows=2,
    prefetch=0,
    instructions=1024,
    act_words=256,
    weight_words=128,
    param_words=16,
)
PROGRAMS = 6


@pytest.fixture(scope="module")
def programs():
    """Programs by seed, each with two samples; some of them keep tensors outside, some have layers that enlarge."""
    found: dict[int, tuple[Program, NDArray[np.int64]]] = {}
    fitting = fitting_programs(
        CONFIG, lambda build, seed: random_chain(build, 3) if seed % 3 else random_enlarging(build)
    )
    while len(found) < PROGRAMS:
        seed, (program, levels) = next(fitting)
        if program.external or len(found) < PROGRAMS // 2:
            found[seed] = program, levels
    return found


@pytest.mark.parametrize(
    "bus",
    [{"latency": 64, "pace": 1, "stall": 0}, {"latency": 20, "pace": 4, "stall": 0}, {"latency": 5, "stall": 150}],
    ids=["64 cycles away", "a quarter of the bandwidth", "stalling"],
)
def test_every_layer_is_exact_and_whoever_waits_longer_than_the_cycle_model_says_waits_for_transfers(
    programs, bus: dict[str, int]
) -> None:
    reports = dict(zip(programs, check_programs(CONFIG, list(programs.values()), bus=bus), strict=True))
    assert {seed: report["differences"] for seed, report in reports.items()} == {seed: [] for seed in programs}
    if not bus["stall"]:
        for seed, report in reports.items():
            late = np.subtract(report["cycles"], report["model"]["cycles"])
            # the model leaves out that a word moved may wait for a bank that COMPUTE writes just then
            slack = 0.02 * np.array(report["model"]["cycles"]) + _activation_words_moved(programs[seed][0])
            assert (np.abs(late) <= slack).all(), (seed, late)
            waits, model = (
                sum(np.array(counters[f"stall_{cause}"]) for cause in ("load", "store", "token"))
                for counters in (report, report["model"])
            )
            np.testing.assert_array_equal(np.subtract(waits, model), late, err_msg=str(seed))


def _activation_words_moved(program: Program) -> int:
    moved = 0
    for words in program.instructions:
        opcode, fields = decode_instruction(words.tolist())
        if opcode in (Opcode.LOAD, Opcode.STORE) and fields["memory"] == Region.ACTIVATIONS:
            moved += fields["count"] * fields["lines"]
    return moved
