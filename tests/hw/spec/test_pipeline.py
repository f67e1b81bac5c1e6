"""Pipeline: what every core's plan keeps, and where registers stand in a row of elements."""

from __future__ import annotations

import dataclasses

import pytest
from narrows.boards.catalogue import BOARDS
from narrows.hw.spec.config import FABRICS, PRESETS, AcceleratorConfig
from narrows.hw.spec.cycles import hold_cycles
from narrows.hw.spec.pipeline import HOST_READ_CYCLES, Pipeline, pipeline, registers_behind

BASES = {
    **PRESETS,
    **{name: board.config for name, board in BOARDS.items()},
    "spread": AcceleratorConfig(rows=8, lanes=64),
}
CONFIGS = [
    pytest.param(dataclasses.replace(base, fabric=fabric, **more), id=f"{name}-{fabric}-{len(more)}")
    for name, base in BASES.items()
    for fabric in FABRICS
    for more in ({}, {"tables": 1, "rescale_bits": 16, "tree_stage": 1})
]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_plan_fits_what_hangs_on_it(config: AcceleratorConfig) -> None:
    plan = pipeline(config)
    assert isinstance(plan, Pipeline)
    assert plan.host_read <= HOST_READ_CYCLES, "the host takes what it reads too early"
    assert plan.words > plan.weights, "a weight is asked for before its step"
    assert hold_cycles(config) > 0, "a step is held back before the drain works"
    assert plan.jobs >= 1
    if config.issues_early:
        first = 1 + plan.release - plan.writer  # step that need not be early, from the last write on
        assert first + plan.access > plan.to_banks, "it reads what is not yet there"
        assert first + plan.finish + 2 >= 2, "the next instruction comes while two are under way"
        assert first + min(plan.operands, plan.words) > 2, "what is behind the array still has the one before"
    assert 1 <= plan.multiply < max(config.rescale_bits, 2)
    assert bool(plan.table_read) == bool(config.tables)


@pytest.mark.parametrize(
    ("elements", "registers", "behind"),
    [(1, 1, "1"), (3, 1, "001"), (3, 2, "011"), (3, 3, "111"), (5, 2, "00101"), (6, 3, "010101"), (31, 31, "1" * 31)],
)
def test_registers_stand_evenly_and_behind_the_last_element(elements: int, registers: int, behind: str) -> None:
    assert "".join(str(int(each)) for each in registers_behind(elements, registers)) == behind
    assert sum(registers_behind(elements, registers)) == registers


@pytest.mark.parametrize("registers", [0, 4])
def test_registers_that_do_not_fit_are_refused(registers: int) -> None:
    with pytest.raises(ValueError, match=f"registers must be 1 to 3, not {registers}"):
        registers_behind(3, registers)


def test_many_block_rams_of_weights_cost_no_step_a_cycle() -> None:
    few, many = (pipeline(AcceleratorConfig(weight_words=words)) for words in (1024, 1025))
    assert (few.weight_near, many.weight_near) == (0, 2)
    single = AcceleratorConfig(lanes=8, rescalers=2, max_pool=0, memories="single", weight_words=4096)
    assert pipeline(single).weight_near == 0, "one port lies in one part"
    assert few.operands == many.operands


def test_memories_all_over_a_chip_are_led_to_through_registers_that_double() -> None:
    far = pipeline(AcceleratorConfig(weight_words=2048))
    assert (far.weight_near, far.bank_near, far.operand_near, far.block_word) == (4, 2, 2, 1)
    assert far == pipeline(AcceleratorConfig(weight_words=4096))
    assert pipeline(AcceleratorConfig(weight_words=2048, fabric="ice40")).operand_near == 0
