"""NarrowBus: bursts of wide beats as longer bursts of narrow ones, whatever either side puts off."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from amaranth_bench import simulate
from narrows.hw.memory.narrow_bus import NarrowBus


@pytest.mark.parametrize(("wide", "narrow", "stall"), [(32, 16, 0.0), (32, 16, 0.5), (64, 16, 0.3), (128, 32, 0.6)])
def test_every_beat_crosses_in_order(wide: int, narrow: int, stall: float) -> None:
    ratio, seed = wide // narrow, wide + narrow + int(10 * stall)
    rng = random.Random(seed)
    dut: Any = NarrowBus(wide=wide, narrow=narrow)
    reads = [(rng.getrandbits(wide), rng.randrange(8) == 0) for _ in range(120)]
    writes = [(rng.getrandbits(wide), rng.getrandbits(wide // 8), rng.randrange(8) == 0) for _ in range(120)]
    failing = {rng.randrange(len(reads) * ratio) for _ in range(6)}
    read, written = [], []

    async def master(ctx: Any) -> None:
        index = 0
        while len(read) < len(reads) or index < len(writes):
            bus = dut.wide
            ctx.set(bus.rready, rng.random() >= stall)
            offers = index < len(writes) and (rng.random() >= stall or bool(ctx.get(bus.wvalid)))
            ctx.set(bus.wvalid, offers)
            if offers:
                for name, value in zip(("wdata", "wstrb", "wlast"), writes[index], strict=True):
                    ctx.set(getattr(bus, name), value)
            _, _, got, data, resp, last, moved = await ctx.tick().sample(
                bus.rvalid & bus.rready, bus.rdata, bus.rresp, bus.rlast, bus.wvalid & bus.wready
            )
            if got:
                read.append((data, bool(last), resp))
            index += moved
            if moved:
                ctx.set(bus.wvalid, 0)
        await ctx.tick().repeat(4)

    async def slave(ctx: Any) -> None:
        bus, index, offered = dut.narrow, 0, False
        while True:
            ctx.set(bus.wready, rng.random() >= stall)
            offered = index < len(reads) * ratio and (offered or rng.random() >= stall)
            ctx.set(bus.rvalid, offered)
            if offered:
                word, last = reads[index // ratio]
                ctx.set(bus.rdata, word >> narrow * (index % ratio) & ((1 << narrow) - 1))
                ctx.set(bus.rlast, last and index % ratio == ratio - 1)
                ctx.set(bus.rresp, 2 if index in failing else 0)
            _, _, taken, data, strobe, last, moved = await ctx.tick().sample(
                bus.wvalid & bus.wready, bus.wdata, bus.wstrb, bus.wlast, bus.rvalid & bus.rready
            )
            if taken:
                written.append((data, strobe, last))
            index += moved
            offered = offered and not moved

    module = Module()
    module.domains.sync = ClockDomain()
    module.submodules.dut = dut
    simulator = Simulator(module)
    simulator.add_clock(1e-6)
    simulator.add_testbench(master)
    simulator.add_testbench(slave, background=True)
    simulator.run()

    fails = {index // ratio for index in failing}
    assert read == [(word, last, 2 * (beat in fails)) for beat, (word, last) in enumerate(reads)], seed
    bits, strobes = (1 << narrow) - 1, (1 << narrow // 8) - 1
    assert written == [
        (word >> narrow * part & bits, strobe >> narrow // 8 * part & strobes, last and part == ratio - 1)
        for word, strobe, last in writes
        for part in range(ratio)
    ], seed


def test_a_burst_has_as_many_more_beats() -> None:
    dut: Any = NarrowBus(wide=64, narrow=16)

    async def bench(ctx: Any) -> None:
        for channel in ("ar", "aw"):
            ctx.set(getattr(dut.wide, f"{channel}addr"), 0x12345670)
            for beats in (1, 2, 64):
                ctx.set(getattr(dut.wide, f"{channel}len"), beats - 1)
                found = [ctx.get(getattr(dut.narrow, channel + name)) for name in ("addr", "len", "size", "burst")]
                assert found == [0x12345670, 4 * beats - 1, 1, 1]

    simulate(dut, bench)
