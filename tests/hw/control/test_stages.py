"""InstructionStages: steps are allowed once the instruction ahead is about to have written its last word, and each
retires once."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth_bench import simulate
from narrows.hw.control.stages import InstructionStages
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import Mode
from narrows.hw.spec.pipeline import pipeline

CONFIGS = {
    "issues early": AcceleratorConfig(),
    "issues early on an iCE40": AcceleratorConfig(fabric="ice40"),
    "fetches ahead": AcceleratorConfig(memories="single"),
    "fetches late": AcceleratorConfig(prefetch=0),
}
DRAIN = 7  # from a tile's last step to its last write


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_instructions_follow_each_other_and_each_retires_once(config: AcceleratorConfig) -> None:
    dut: Any = InstructionStages(config)
    rng = random.Random(5)
    writer = pipeline(config).writer
    tiles = [rng.randrange(1, 6) for _ in range(12)]
    modes = [rng.choice(list(Mode)) for _ in tiles]
    retired: list[int] = []

    async def bench(ctx: Any) -> None:
        unit, cycle = dut.unit, 0
        writes: dict[int, int] = {}  # cycle of each tile's last write, by instruction
        written = 0

        async def tick(begins: int = 0, instruction: int = 0) -> None:
            nonlocal cycle, written
            ctx.set(dut.tile_begins, begins)
            if begins:
                writes[cycle + DRAIN] = instruction
            ctx.set(dut.tile_ends, int(cycle + writer in writes))
            if cycle in writes:
                assert ctx.get(dut.back.run) and ctx.get(dut.back.fields.planes) == writes[cycle] % 7
                assert ctx.get(dut.back.is_max) == modes[writes[cycle]]
                written += 1
            if ctx.get(unit.retired):
                retired.append(cycle)
                assert written == sum(tiles[: len(retired)]), "not before the last write"
            await ctx.tick()
            cycle += 1

        ctx.set(dut.enable, 1)
        for number, count in enumerate(tiles):
            while not config.prefetch and len(retired) < number:
                await tick()
            ctx.set(unit.fields.planes, number % 7)
            ctx.set(unit.fields.mode, modes[number])
            ctx.set(unit.fields.early, number)
            ctx.set(unit.run, 1)
            ctx.set(dut.stepping.finished, 0)
            assert ctx.get(dut.front.run) and ctx.get(dut.front.is_max) == modes[number]
            await tick()
            assert ctx.get(dut.stepping.early) == (number if config.issues_early else 0)
            begun = cycle
            while not ctx.get(dut.stepping.go):
                await tick()
            if number:
                lead = writer if config.issues_early else 0
                assert cycle == max(begun, max(writes) - lead + 1), "as soon as its steps may begin"
            for tile in range(count):
                for _ in range(rng.randrange(3)):
                    await tick()
                await tick(1, number)
                assert not ctx.get(unit.issued) or tile == count - 1
            ctx.set(dut.stepping.finished, 1)
            while len(retired) < number:
                assert not ctx.get(unit.issued), "its place behind the array is not free"
                await tick()
            assert ctx.get(unit.issued)
            await tick()
            ctx.set(unit.run, 0)
            await tick()
        for _ in range(DRAIN + 4):
            await tick()

    simulate(dut, bench)
    assert len(retired) == len(tiles)


def test_what_is_under_way_can_be_given_up() -> None:
    dut: Any = InstructionStages(AcceleratorConfig())

    async def bench(ctx: Any) -> None:
        for _ in range(2):
            ctx.set(dut.enable, 1)
            ctx.set(dut.unit.run, 1)
            ctx.set(dut.stepping.illegal, 1)
            await ctx.tick().repeat(3)
            assert ctx.get(dut.stepping.go) and ctx.get(dut.unit.illegal) and ctx.get(dut.back.run)
            ctx.set(dut.stepping.illegal, 0)
            ctx.set(dut.enable, 0)
            ctx.set(dut.unit.run, 0)
            await ctx.tick().repeat(3)
            assert not ctx.get(dut.stepping.go) and not ctx.get(dut.unit.illegal) and not ctx.get(dut.back.run)

    simulate(dut, bench)
