"""UartStreams: bytes of a line as frames, spoilt ones given up; answers with what came of each frame before them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from amaranth_bench import simulate
from narrows.hw.serve.uart_streams import ANSWERED, NOT_ANSWERED, UartStreams

DIVISOR, GAP = 4, 40


async def send_bits(ctx: Any, dut: Any, bits: list[int]) -> None:
    for bit in bits:
        ctx.set(dut.rx, bit)
        await ctx.tick().repeat(DIVISOR)


async def send(ctx: Any, dut: Any, data: list[int], *, broken: int | None = None) -> None:
    """Bytes on the line, one of them perhaps without its stop bit."""
    for place, byte in enumerate(data):
        await send_bits(ctx, dut, [0, *(byte >> bit & 1 for bit in range(8)), int(place != broken)])
        ctx.set(dut.rx, 1)


def run(dut: Any, *benches: Any) -> None:
    """The first bench ends the run; the others go on beside it."""
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = dut
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    for number, bench in enumerate(benches):
        simulator.add_testbench(bench, background=number > 0)
    simulator.run()


@pytest.mark.parametrize("trouble", ["none", "pause", "broken", "overrun"])
def test_bytes_come_as_they_are_and_a_spoilt_frame_is_given_up(trouble: str) -> None:
    dut: Any = UartStreams(divisor=DIVISOR, gap=GAP)
    found: list[int | str | None] = []
    blocked = [False]

    async def takes(ctx: Any) -> None:
        rng = random.Random(1)
        while True:
            ready = not blocked[0] and rng.random() < 0.5
            ctx.set(dut.frames.ready, ready)
            if ready and ctx.get(dut.frames.valid):
                payload = dut.frames.payload
                abort = "lost" if ctx.get(payload.last) else None
                found.append(abort if ctx.get(payload.error) else ctx.get(payload.byte))
            await ctx.tick()

    async def bench(ctx: Any) -> None:
        await ctx.tick()
        await send(ctx, dut, [1, 2, 3])
        if trouble == "pause":
            await ctx.tick().repeat(DIVISOR * (GAP - 4))
            assert found == [1, 2, 3]
            await ctx.tick().repeat(DIVISOR * 8)
        elif trouble == "broken":
            await send(ctx, dut, [9, 4], broken=0)
        elif trouble == "overrun":
            await ctx.tick().repeat(10)
            blocked[0] = True
            await send(ctx, dut, [7, 8])
            await ctx.tick().repeat(10)
            blocked[0] = False
            await send(ctx, dut, [4])
        if trouble != "none":
            await ctx.tick().repeat(DIVISOR * (GAP + 8))
        await send(ctx, dut, [5, 6])
        await ctx.tick().repeat(DIVISOR * (GAP + 8))
        await ctx.tick().repeat(DIVISOR * 3 * GAP)
        between: list[int | str | None] = {
            "none": [], "pause": [None], "broken": ["lost"], "overrun": [7, "lost"]
        }[trouble]  # fmt: skip
        assert found == [1, 2, 3, *between, 5, 6, None], "one abort for each silence"

    run(dut, bench, takes)


def test_answers_say_first_what_came_of_a_frame() -> None:
    dut: Any = UartStreams(divisor=DIVISOR, gap=GAP)
    answers = [[(10, 0, 0), (11, 1, 0)], [(0, 1, 1)], [(12, 1, 0)]]
    right = [ANSWERED, 10, 11, NOT_ANSWERED, ANSWERED, 12]
    found: list[int] = []

    async def gives(ctx: Any) -> None:
        for byte, last, error in (beat for answer in answers for beat in answer):
            ctx.set(dut.answers.valid, 1)
            for name, value in (("byte", byte), ("last", last), ("error", error)):
                ctx.set(getattr(dut.answers.payload, name), value)
            while not ctx.get(dut.answers.ready):
                await ctx.tick()
            await ctx.tick()
        ctx.set(dut.answers.valid, 0)

    async def bench(ctx: Any) -> None:
        while len(found) < len(right):
            while ctx.get(dut.tx):
                await ctx.tick()
            await ctx.tick().repeat(DIVISOR + DIVISOR // 2)
            bits = []
            for _ in range(8):
                bits.append(ctx.get(dut.tx))
                await ctx.tick().repeat(DIVISOR)
            bits.append(ctx.get(dut.tx))  # in the middle of the stop bit
            assert bits[-1] == 1
            found.append(sum(bit << place for place, bit in enumerate(bits[:8])))
        assert found == right

    run(dut, bench, gives)


def test_a_line_at_rest_says_nothing() -> None:
    dut: Any = UartStreams(divisor=DIVISOR, gap=GAP)

    async def bench(ctx: Any) -> None:
        for _ in range(DIVISOR * 3 * GAP):
            assert not ctx.get(dut.frames.valid)
            assert ctx.get(dut.tx)
            await ctx.tick()

    simulate(dut, bench)
