"""ProgramMemory: beats through the host's window make the words that the core reads."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate
from narrows.hw.memory.program_memory import ProgramMemory
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline
from narrows.hw.spec.registers import Region, region_beats, region_depth, region_stride, region_word_bits

CONFIG = AcceleratorConfig(
    rows=1, columns=3, lanes=8, rescalers=1, weight_words=20, param_words=12, taps=16, blocks=8, instructions=4
)


# weights of 3 beats, in halves of 2 and 1, and of 1 beat
SPREAD = dataclasses.replace(CONFIG, rows=11)
SPREAD_NARROW = AcceleratorConfig(base="dybit2", rows=32, columns=3, lanes=4, rescalers=1, weight_words=20)


@pytest.mark.parametrize(
    ("config", "region"),
    [
        *(
            (CONFIG, region)
            for region in (Region.INSTRUCTIONS, Region.BLOCKS, Region.TAPS, Region.PARAMS, Region.WEIGHTS)
        ),
        (SPREAD, Region.PARAMS),
        (SPREAD, Region.WEIGHTS),
        (SPREAD_NARROW, Region.WEIGHTS),
    ],
)
def test_words_are_the_beats_written_to_their_addresses(config: AcceleratorConfig, region: Region) -> None:
    dut: Any = ProgramMemory(config, region)
    depth, beats = region_depth(config, region), region_beats(config, region)
    rng = np.random.default_rng(int(region))
    words = rng.integers(0, 1 << 32, (depth, beats))
    order = rng.permutation(depth * beats)
    offsets = [word * region_stride(config, region) // 4 + beat for word in range(depth) for beat in range(beats)]

    async def bench(ctx: Any) -> None:
        for place in order.tolist():
            ctx.set(dut.host.enable, 1)
            ctx.set(dut.host.offset, offsets[place])
            ctx.set(dut.host.data, int(words.ravel()[place]))
            await ctx.tick()
        ctx.set(dut.host.enable, 0)
        ctx.set(dut.host.data, 0)
        bits, late = region_word_bits(config, region), pipeline(config).program_read(region)
        for cycle in range(depth + late):
            if cycle >= late:
                assert ctx.get(dut.read.data) == pack(words[cycle - late], 32) & ((1 << bits) - 1)
            ctx.set(dut.read.address, min(cycle, depth - 1))
            await ctx.tick()

    simulate(dut, bench)


@pytest.mark.parametrize("memories", ["dual", "single"])
def test_a_load_waits_for_who_reads_a_single_port(memories: str) -> None:
    config = AcceleratorConfig(lanes=8, rescalers=2, weight_words=64, memories=memories, backing="axi4")
    dut: Any = ProgramMemory(config, Region.WEIGHTS)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.load.valid, 1)
        for reads in (1, 0, 1):
            ctx.set(dut.read.valid, reads)
            assert ctx.get(dut.load.ready) == (not reads or memories == "dual")
            await ctx.tick()

    simulate(dut, bench)
