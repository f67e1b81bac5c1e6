"""WishbonePort: classic cycles with random pauses against a model, refusals, reads overtaken or dropped."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from narrows.hw.ports.wishbone import Wishbone, WishbonePort
from narrows.hw.spec.pipeline import HOST_READ_CYCLES
from narrows.hw.spec.registers import REGION_BITS, Region
from port_harness import Words, run_with_port


class Master:
    """Single cycles; ``end`` is "ack", "err" or, after too long, "none"."""

    def __init__(self, ctx: Any, port: Any) -> None:
        self._ctx, self._pins = ctx, port.pins

    def begin(self, region: Region, offset: int, *, value: int | None = None, sel: int = 0b1111) -> None:
        for name, content in (("adr", region << (REGION_BITS - 2) | offset), ("we", value is not None), ("sel", sel)):
            self._ctx.set(getattr(self._pins, name), content)
        self._ctx.set(self._pins.dat_w, value or 0)
        self._ctx.set(self._pins.cyc, 1)
        self._ctx.set(self._pins.stb, 1)

    def drop(self) -> None:
        self._ctx.set(self._pins.stb, 0)
        self._ctx.set(self._pins.cyc, 0)

    async def end(self) -> tuple[str, int, int]:
        """How a cycle ended, after how many clock cycles, and what it read; STB stays high behind it."""
        for cycles in range(20):
            if self._ctx.get(self._pins.ack) or self._ctx.get(self._pins.err):
                assert not (self._ctx.get(self._pins.ack) and self._ctx.get(self._pins.err))
                result = (
                    "ack" if self._ctx.get(self._pins.ack) else "err",
                    cycles,
                    self._ctx.get(self._pins.dat_r),
                )
                await self._ctx.tick()
                return result
            await self._ctx.tick()
        return "none", 20, 0


def with_port(body: Callable[[Any, Any, Master, Words], Awaitable[None]]) -> None:
    """Run ``body(ctx, port, master, words)`` on a port in front of ``words``."""
    port: Any = WishbonePort()
    run_with_port(port, lambda ctx, words: body(ctx, port, Master(ctx, port), words))


@pytest.mark.parametrize("pause", [0.0, 0.6])
def test_random_cycles_agree_with_a_model(pause: float) -> None:
    async def body(ctx: Any, port: Any, master: Master, words: Words) -> None:
        rng, model = random.Random(4), {}
        for _ in range(400):
            place = rng.choice(list(Region)), rng.randrange(4)
            value = rng.getrandbits(32) if rng.random() < 0.5 else None
            master.begin(*place, value=value)
            end, cycles, found = await master.end()
            assert (end, cycles) == ("ack", 1 if value is not None else HOST_READ_CYCLES + 2)
            if value is None:
                assert found == model.get(place, 0)
            else:
                model[place] = value
            if rng.random() < pause:
                ctx.set(port.pins.stb, 0)
                ctx.set(port.pins.cyc, rng.getrandbits(1))
                await ctx.tick().repeat(rng.randint(1, 4))
        assert words == model

    with_port(body)


@pytest.mark.parametrize("sel", [0b0000, 0b0111, 0b1110])
def test_writes_of_less_than_a_word_are_refused(sel: int) -> None:
    async def body(ctx: Any, port: Any, master: Master, words: Words) -> None:
        master.begin(Region.REGISTERS, 3, value=7, sel=sel)
        assert (await master.end())[0] == "err"
        master.drop()
        await ctx.tick().repeat(3)
        assert words == {}

    with_port(body)


def test_memories_are_refused_while_busy_and_each_try_to_write_is_one_conflict() -> None:
    async def body(ctx: Any, port: Any, master: Master, words: Words) -> None:
        ctx.set(port.bus.busy, 1)
        for value in (7, None):
            conflicts = 0
            master.begin(Region.ACTIVATIONS, 3, value=value)
            for _ in range(HOST_READ_CYCLES + 4):
                conflicts += ctx.get(port.bus.conflict)
                ended = ctx.get(port.pins.err)
                assert not ctx.get(port.pins.ack)
                await ctx.tick()
                if ended:
                    break
            master.drop()
            assert conflicts == (value is not None), "only a write is one"
        master.begin(Region.REGISTERS, 3, value=7)
        assert (await master.end())[0] == "ack"
        master.drop()
        await ctx.tick()
        assert words == {(Region.REGISTERS, 3): 7}

    with_port(body)


@pytest.mark.parametrize("delay", range(HOST_READ_CYCLES + 2))
def test_a_read_that_busy_overtakes_is_refused(delay: int) -> None:
    async def body(ctx: Any, port: Any, master: Master, words: Words) -> None:
        master.begin(Region.ACTIVATIONS, 3)
        for _ in range(delay):
            await ctx.tick()
        ctx.set(port.bus.busy, 1)
        assert (await master.end())[0] == "err"

    with_port(body)


@pytest.mark.parametrize("delay", range(1, HOST_READ_CYCLES + 2))
def test_a_read_taken_back_is_dropped(delay: int) -> None:
    async def body(ctx: Any, port: Any, master: Master, words: Words) -> None:
        words[Region.CHECKSUMS, 1] = 5
        master.begin(Region.ACTIVATIONS, 3)
        await ctx.tick().repeat(delay)
        master.drop()
        for _ in range(HOST_READ_CYCLES + 2):
            await ctx.tick()
            assert not ctx.get(port.pins.ack) and not ctx.get(port.pins.err)
        master.begin(Region.CHECKSUMS, 1)
        assert (await master.end())[::2] == ("ack", 5)

    with_port(body)


def test_signals_have_the_standards_widths() -> None:
    features = ("err", "rty", "stall", "lock", "cti", "bte")
    members = Wishbone(addr_width=18, data_width=32, granularity=8, features=features).members
    assert {name: member.shape for name, member in members.items()} == (
        {"adr": 18, "dat_w": 32, "dat_r": 32, "sel": 4, "cyc": 1, "stb": 1, "we": 1, "ack": 1}
        | {"err": 1, "rty": 1, "stall": 1, "lock": 1, "cti": 3, "bte": 2}
    )
