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


def test_a_feeder_writes_behind_the_core_and_before_the_host() -> None:
    config = AcceleratorConfig(rows=1, columns=2, lanes=4, rescalers=2, act_words=64, frame_bytes=64)
    dut: Any = Activations(config)
    rng, words = np.random.default_rng(3), [0] * 64

    async def bench(ctx: Any) -> None:
        for port in (dut.writes[0], dut.feed):
            ctx.set(port.enable, 0b11)
        for _ in range(200):
            asks = [int(each) for each in rng.integers(0, 2, 3)]
            places = rng.integers(64, size=3).tolist()
            values = rng.integers(1 << 16, size=3).tolist()
            for port, ask, place, value in zip((dut.writes[0], dut.feed), asks, places, values, strict=False):
                ctx.set(port.valid, ask)
                ctx.set(port.address, place)
                ctx.set(port.data, value)
                ctx.set(port.enable, 0b11 * ask)
            ctx.set(dut.host.enable, asks[2])
            ctx.set(dut.host.offset, places[2])
            ctx.set(dut.host.data, values[2])
            await ctx.tick()
            if any(asks):
                served = asks.index(1)
                words[places[served]] = values[served]
        for port in (dut.writes[0], dut.feed):
            ctx.set(port.valid, 0)
            ctx.set(port.enable, 0)
        ctx.set(dut.host.enable, 0)
        ctx.set(dut.read.valid, 1)
        await ctx.tick().repeat(4)
        for place, word in enumerate(words):
            ctx.set(dut.read.address, place)
            await ctx.tick().repeat(pipeline(config).activation_read)
            assert ctx.get(dut.read.data.as_value()) == word, f"address {place}"

    simulate(dut, bench)


def test_a_protected_memory_judges_the_words_that_the_host_reads() -> None:
    config = AcceleratorConfig(rows=2, columns=1, lanes=8, rescalers=1, act_words=64, protection="parity")
    dut: Any = Activations(config)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.read.valid, 0)
        ctx.set(dut.writes[0].valid, 0)
        ctx.set(dut.host.enable, 1)
        ctx.set(dut.host.offset, 3)
        ctx.set(dut.host.data, 0x12345678)
        await ctx.tick()
        ctx.set(dut.host.enable, 0)
        ctx.set(dut.offset, 3)
        ctx.set(dut.reading, 1)
        for _ in range(pipeline(config).activation_read + 4):
            await ctx.tick()
            assert not ctx.get(dut.check.as_value())
        assert ctx.get(dut.beat) == 0x12345678

    simulate(dut, bench)
