"""Activations: neighbouring words from any address, granule writes, and the host behind the core."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate, unpack
from narrows.hw.memory.activations import Activations
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline
from narrows.hw.spec.registers import Region, region_beats, region_stride

SHAPES = [(1, 4, 2), (3, 4, 4), (4, 16, 2), (5, 2, 1), (2, 32, 8), (9, 32, 1), (8, 64, 2)]


@pytest.mark.parametrize(("rows", "lanes", "rescalers"), SHAPES)
def test_reads_writes_and_the_hosts_window_agree(rows: int, lanes: int, rescalers: int) -> None:
    config = AcceleratorConfig(rows=rows, columns=rescalers, lanes=lanes, rescalers=rescalers, act_words=64)
    dut: Any = Activations(config)
    read_cycles = pipeline(config).activation_read
    beats, stride = region_beats(config, Region.ACTIVATIONS), region_stride(config, Region.ACTIVATIONS) // 4
    rng = np.random.default_rng(rows)
    codes = rng.integers(0, 16, (64, lanes))
    padded = np.pad(codes, ((0, 0), (0, 8 * beats - lanes)))

    async def read_all(ctx: Any) -> None:
        ctx.set(dut.read.valid, 1)
        for cycle in range(64 + read_cycles):
            if cycle >= read_cycles:
                first = cycle - read_cycles
                expected = [pack(codes[(first + row) % 64], 4) for row in range(rows)]
                assert unpack(ctx.get(dut.read.data.as_value()), 4 * lanes, rows) == expected, f"address {first}"
            ctx.set(dut.read.address, cycle % 64)
            await ctx.tick()

    def host_writes(ctx: Any, word: int, beat: int, value: int) -> None:
        ctx.set(dut.host.enable, 1)
        ctx.set(dut.host.offset, word * stride + beat)
        ctx.set(dut.host.data, value)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.read.valid, 0)
        for place in rng.permutation(64 * beats).tolist():
            word, beat = divmod(place, beats)
            host_writes(ctx, word, beat, pack(padded[word, 8 * beat : 8 * beat + 8], 4))
            await ctx.tick()
        ctx.set(dut.host.enable, 0)
        await read_all(ctx)

        write = dut.writes[0]
        for _ in range(100):  # the core goes first: a host that writes then is not served
            word, enable = int(rng.integers(64)), rng.integers(0, 2, config.granules)
            data = rng.integers(0, 16, lanes)
            ctx.set(write.valid, served := int(rng.random() < 0.7))
            ctx.set(write.address, word)
            ctx.set(write.data, pack(data, 4))
            ctx.set(write.enable, pack(enable, 1) * served)
            other, beat = divmod(int(rng.integers(64 * beats)), beats)
            value = rng.integers(0, 16, 8)
            host_writes(ctx, other, beat, pack(value, 4))
            ctx.set(dut.host.enable, asks := int(rng.random() < 0.5))
            await ctx.tick()
            if served:
                codes[word] = np.where(np.repeat(enable, rescalers), data, codes[word])
            elif asks:
                here = codes[other, 8 * beat : 8 * beat + 8]
                here[:] = value[: len(here)]
        ctx.set(write.valid, 0)
        ctx.set(write.enable, 0)
        ctx.set(dut.host.enable, 0)
        await read_all(ctx)

        ctx.set(dut.read.valid, 0)
        ctx.set(dut.read.address, 5)
        for cycle in range(64 * beats + read_cycles):
            if cycle >= read_cycles:
                word, beat = divmod(cycle - read_cycles, beats)
                expected = pack(codes[word, 8 * beat : 8 * beat + 8], 4)
                assert ctx.get(dut.beat) == expected, f"word {word}, beat {beat}"
            word, beat = divmod(min(cycle, 64 * beats - 1), beats)
            ctx.set(dut.offset, word * stride + beat)
            await ctx.tick()

    simulate(dut, bench)
