"""HostStore: a serial link's host on the core's bus, which waits, is refused, or gives up."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from amaranth_bench import simulate
from narrows.hw.memory.host_store import HostStore
from narrows.hw.spec.config import AcceleratorConfig

PATIENCE = 1 << 14


class Bench:
    """The host on one side of a `HostStore`, a memory of 32-bit words on the other."""

    def __init__(self, ctx: Any, dut: Any) -> None:
        self.ctx, self.dut = ctx, dut
        self.words: dict[int, int] = {}

    async def access(self, offset: int, value: int | None = None) -> tuple[str, int, int]:
        """How it ended, what was read, after how many cycles."""
        ctx, access = self.ctx, self.dut.access
        ctx.set(access.offset, offset)
        ctx.set(access.we, value is not None)
        ctx.set(access.dat_w, value or 0)
        ctx.set(access.stb, 1)
        for cycles in range(2 * PATIENCE):
            if ctx.get(access.ack) or ctx.get(access.err):
                ended = "ack" if ctx.get(access.ack) else "err"
                assert not (ctx.get(access.ack) and ctx.get(access.err))
                assert ctx.get(self.dut.refused) == (ended == "err")
                found = ctx.get(access.dat_r)
                await ctx.tick()
                ctx.set(access.stb, 0)
                await ctx.tick().repeat(2)
                assert not ctx.get(access.ack) and not ctx.get(access.err)
                return ended, found, cycles
            await ctx.tick()
        return "none", 0, 2 * PATIENCE


def with_store(
    bits: int, body: Callable[[Bench], Awaitable[None]], *, seed: int = 1, stall: float = 0.0, dead: Any = lambda: False
) -> None:
    """Run ``body`` before a memory that is slow at random, and silent while ``dead()``."""
    dut: Any = HostStore(AcceleratorConfig(host="uart", backing="axi4", bus_bits=bits))
    lanes = bits // 32

    def top(bench_of: Callable[[Any], Bench]) -> Callable[[Any], Awaitable[None]]:
        async def run(ctx: Any) -> None:
            ctx.set(dut.settled, 1)
            await body(bench_of(ctx))

        return run

    shared: list[Bench] = []

    def make(ctx: Any) -> Bench:
        shared.append(Bench(ctx, dut))
        return shared[0]

    async def slave(ctx: Any) -> None:
        rng, bus = random.Random(seed), dut.m_axi
        address = data = None
        while True:
            slow = rng.random() < stall or dead()
            ctx.set(bus.arready, not slow)
            ctx.set(bus.awready, not slow and address is None)
            ctx.set(bus.wready, not slow and data is None)
            _, _, ar, at, aw, to, w, value, strobe = await ctx.tick().sample(
                bus.arvalid & bus.arready, bus.araddr, bus.awvalid & bus.awready, bus.awaddr,
                bus.wvalid & bus.wready, bus.wdata, bus.wstrb,
            )  # fmt: skip
            words = shared[0].words
            if aw:
                address = to
            if w:
                data = value, strobe
            if ar:
                base = at // 4 // lanes * lanes
                await answer(ctx, rng, "r", sum(words.get(base + lane, 0) << 32 * lane for lane in range(lanes)))
            if address is not None and data is not None:
                for lane in range(lanes):
                    if data[1] >> 4 * lane & 15 == 15:
                        words[address // 4 // lanes * lanes + lane] = data[0] >> 32 * lane & 0xFFFFFFFF
                assert bin(data[1]).count("1") == 4 and address % 4 == 0
                address = data = None
                await answer(ctx, rng, "b", 0)

    async def answer(ctx: Any, rng: random.Random, channel: str, word: int) -> None:
        bus = dut.m_axi
        ctx.set(bus.arready, 0)
        ctx.set(bus.awready, 0)
        ctx.set(bus.wready, 0)
        while rng.random() < stall or dead():
            await ctx.tick()
        ctx.set(getattr(bus, f"{channel}valid"), 1)
        ctx.set(bus.rdata, word)
        await ctx.tick()
        ctx.set(getattr(bus, f"{channel}valid"), 0)

    from amaranth.hdl import ClockDomain, Module
    from amaranth.sim import Simulator

    module = Module()
    module.domains.sync = ClockDomain()
    module.submodules.dut = dut
    simulator = Simulator(module)
    simulator.add_clock(1e-6)
    simulator.add_testbench(top(make))
    simulator.add_testbench(slave, background=True)
    simulator.run()


@pytest.mark.parametrize(("bits", "stall"), [(32, 0.0), (32, 0.7), (64, 0.4), (128, 0.2)])
def test_random_accesses_agree_with_a_memory(bits: int, stall: float) -> None:
    seed = bits + int(10 * stall)

    async def body(bench: Bench) -> None:
        rng, model = random.Random(seed), {}
        for number in range(200):
            base = rng.choice([0, 0x7000, 0x3FFFF000])
            offset = rng.choice([rng.randrange(8), rng.randrange(1 << 20)])
            bench.ctx.set(bench.dut.base, base)
            place = base // 4 + offset
            if rng.random() < 0.5:
                value = rng.getrandbits(32)
                assert (await bench.access(offset, value))[0] == "ack"
                model[place] = value
            else:
                assert (await bench.access(offset))[:2] == ("ack", model.get(place, 0)), (seed, number)
        assert bench.words == model

    with_store(bits, body, seed=seed, stall=stall)


def test_an_access_that_meets_a_run_is_refused_and_one_that_meets_transfers_waits_for_them() -> None:
    async def body(bench: Bench) -> None:
        ctx, dut = bench.ctx, bench.dut
        ctx.set(dut.busy, 1)
        assert (await bench.access(3, 7))[0] == "err"
        assert (await bench.access(3))[0] == "err"
        ctx.set(dut.busy, 0)
        ctx.set(dut.settled, 0)
        ctx.set(dut.access.offset, 3)
        ctx.set(dut.access.stb, 1)
        for _ in range(100):
            await ctx.tick()
            assert not ctx.get(dut.m_axi.arvalid) and not ctx.get(dut.access.ack) and not ctx.get(dut.access.err)
        ctx.set(dut.settled, 1)
        assert (await bench.access(3))[:2] == ("ack", 0)
        assert bench.words == {}

    with_store(32, body)


@pytest.mark.parametrize("write", [False, True])
def test_a_silent_bus_costs_its_patience_once_and_loses_nothing_when_it_answers(write: bool) -> None:
    state = {"dead": False}

    async def body(bench: Bench) -> None:
        assert (await bench.access(5, 11))[0] == "ack"
        state["dead"] = True
        await bench.ctx.tick().repeat(2)
        ended, _, cycles = await bench.access(6 if write else 5, 12 if write else None)
        assert (ended, cycles) == ("err", PATIENCE)
        assert [(await bench.access(7, 13))[::2] for _ in range(3)] == [("err", 1)] * 3
        state["dead"] = False
        await bench.ctx.tick().repeat(20)
        assert (await bench.access(7, 14))[0] == "ack"
        assert (await bench.access(7))[:2] == ("ack", 14)
        assert bench.words == {5: 11, 7: 14} | ({6: 12} if write else {}), "what was on the bus stays on it"

    with_store(32, body, dead=lambda: state["dead"])


def test_the_memory_system_has_the_bus_otherwise() -> None:
    dut: Any = HostStore(AcceleratorConfig(host="uart", backing="axi4", bus_bits=32))

    async def bench(ctx: Any) -> None:
        ctx.set(dut.inner.arvalid, 1)
        ctx.set(dut.inner.araddr, 0x1230)
        ctx.set(dut.m_axi.arready, 1)
        ctx.set(dut.m_axi.rvalid, 1)
        ctx.set(dut.m_axi.rdata, 9)
        assert (ctx.get(dut.m_axi.arvalid), ctx.get(dut.m_axi.araddr)) == (1, 0x1230)
        assert (ctx.get(dut.inner.arready), ctx.get(dut.inner.rvalid), ctx.get(dut.inner.rdata)) == (1, 1, 9)

    simulate(dut, bench)
