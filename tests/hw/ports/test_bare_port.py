"""BarePort: random requests against a model, refusals, reads overtaken by a run."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from narrows.hw.ports.bare_port import BarePort
from narrows.hw.spec.pipeline import HOST_READ_CYCLES
from narrows.hw.spec.registers import REGION_BITS, Region
from port_harness import Words, run_with_port

READ_ENDS = HOST_READ_CYCLES + 2


def show(ctx: Any, port: Any, region: Region, offset: int, value: int | None) -> None:
    """Ask for a write of a value, or with None for a read."""
    ctx.set(port.pins.adr, region << (REGION_BITS - 2) | offset)
    ctx.set(port.pins.we, value is not None)
    ctx.set(port.pins.dat_w, value or 0)
    ctx.set(port.pins.valid, 1)


async def access(ctx: Any, port: Any, region: Region, offset: int, value: int | None = None) -> tuple[int, int, int]:
    """Cycles until the answer, whether it is a refusal, and the word with it."""
    show(ctx, port, region, offset, value)
    assert ctx.get(port.pins.ready)
    await ctx.tick()
    ctx.set(port.pins.valid, 0)
    for cycles in range(1, 20):
        if ctx.get(port.pins.done):
            return cycles, ctx.get(port.pins.refused), ctx.get(port.pins.dat_r)
        assert not ctx.get(port.pins.refused)
        await ctx.tick()
    raise AssertionError("no answer")


def with_port(body: Callable[[Any, Any, Words], Awaitable[None]]) -> None:
    """Run ``body(ctx, port, words)`` on a port in front of ``words``."""
    port: Any = BarePort()
    run_with_port(port, lambda ctx, words: body(ctx, port, words))


@pytest.mark.parametrize("pause", [0.0, 0.6])
def test_random_requests_agree_with_a_model(pause: float) -> None:
    async def body(ctx: Any, port: Any, words: Words) -> None:
        rng, model = random.Random(4), {}
        for _ in range(400):
            place = rng.choice(list(Region)), rng.randrange(4)
            value = rng.getrandbits(32) if rng.random() < 0.5 else None
            cycles, refused, found = await access(ctx, port, *place, value)
            assert (cycles, refused) == (1 if value is not None else READ_ENDS, 0)
            if value is None:
                assert found == model.get(place, 0)
            else:
                model[place] = value
            if rng.random() < pause:
                await ctx.tick().repeat(rng.randint(1, 4))
        assert words == model

    with_port(body)


def test_a_write_is_taken_every_cycle_and_each_is_answered() -> None:
    async def body(ctx: Any, port: Any, words: Words) -> None:
        for offset in range(8):
            show(ctx, port, Region.WEIGHTS, offset, 100 + offset)
            assert ctx.get(port.pins.ready)
            assert ctx.get(port.pins.done) == (offset > 0)
            await ctx.tick()
        ctx.set(port.pins.valid, 0)
        assert ctx.get(port.pins.done)
        await ctx.tick().repeat(2)
        assert not ctx.get(port.pins.done)
        assert words == {(Region.WEIGHTS, offset): 100 + offset for offset in range(8)}

    with_port(body)


def test_a_request_waits_while_a_read_is_under_way() -> None:
    async def body(ctx: Any, port: Any, words: Words) -> None:
        words[Region.CHECKSUMS, 1] = 5
        show(ctx, port, Region.CHECKSUMS, 1, None)
        await ctx.tick()
        show(ctx, port, Region.REGISTERS, 3, 7)
        for _ in range(READ_ENDS - 1):
            assert not ctx.get(port.pins.ready) and not ctx.get(port.pins.done)
            await ctx.tick()
        assert (ctx.get(port.pins.done), ctx.get(port.pins.dat_r), ctx.get(port.pins.ready)) == (1, 5, 1)
        await ctx.tick()
        ctx.set(port.pins.valid, 0)
        assert ctx.get(port.pins.done)
        await ctx.tick().repeat(2)
        assert words[Region.REGISTERS, 3] == 7

    with_port(body)


def test_memories_are_refused_while_busy_and_each_try_to_write_is_one_conflict() -> None:
    async def body(ctx: Any, port: Any, words: Words) -> None:
        words[Region.ACTIVATIONS, 3] = 9
        ctx.set(port.bus.busy, 1)
        for value in (7, None):
            show(ctx, port, Region.ACTIVATIONS, 3, value)
            conflicts, refused = 0, 0
            for _ in range(READ_ENDS + 3):
                conflicts += ctx.get(port.bus.conflict)
                refused += ctx.get(port.pins.refused)
                assert ctx.get(port.pins.refused) == ctx.get(port.pins.done)
                await ctx.tick()
                ctx.set(port.pins.valid, 0)
            assert (conflicts, refused, ctx.get(port.pins.dat_r)) == (value is not None, 1, 0)
        assert await access(ctx, port, Region.REGISTERS, 3, 7) == (1, 0, 0)
        await ctx.tick().repeat(2)
        assert words == {(Region.ACTIVATIONS, 3): 9, (Region.REGISTERS, 3): 7}

    with_port(body)


@pytest.mark.parametrize("delay", range(HOST_READ_CYCLES + 2))
def test_a_read_that_busy_overtakes_is_refused(delay: int) -> None:
    async def body(ctx: Any, port: Any, words: Words) -> None:
        words[Region.ACTIVATIONS, 3] = 9
        show(ctx, port, Region.ACTIVATIONS, 3, None)
        for _ in range(delay):
            await ctx.tick()
            ctx.set(port.pins.valid, 0)
        ctx.set(port.bus.busy, 1)
        while not ctx.get(port.pins.done):
            await ctx.tick()
            ctx.set(port.pins.valid, 0)
        assert (ctx.get(port.pins.refused), ctx.get(port.pins.dat_r)) == (1, 0)

    with_port(body)
