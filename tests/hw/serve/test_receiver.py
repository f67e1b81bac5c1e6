"""FrameReceiver: frames become words; short and long ones are told from others and cost nobody a byte."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from amaranth_bench import simulate
from narrows.hw.serve.receiver import FrameReceiver
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.feed import feed_words

CONFIG = AcceleratorConfig(frame_bytes=64, streams=1)


async def send(ctx: Any, dut: Any, frame: list[int], lasts: set[int], rng: random.Random) -> dict[int, int]:
    """Words written while the bytes of a frame come, with ``last`` at some of their places."""
    words: dict[int, int] = {}
    places = iter(enumerate(frame))
    place, byte = next(places)
    while True:
        valid = rng.random() < 0.7
        ctx.set(dut.bytes.valid, valid)
        ctx.set(dut.bytes.payload.byte, byte if valid else rng.getrandbits(8))
        ctx.set(dut.bytes.payload.last, place in lasts if valid else rng.getrandbits(1))
        taken = valid and ctx.get(dut.bytes.ready)
        if ctx.get(dut.frame.enable):
            assert taken
            words[ctx.get(dut.frame.offset)] = ctx.get(dut.frame.data)
        await ctx.tick()
        if taken:
            following = next(places, None)
            if following is None:
                ctx.set(dut.bytes.valid, 0)
                return words
            place, byte = following


async def take(ctx: Any, dut: Any) -> tuple[int, int]:
    """Whether the frame that is there was short, and whether it was long; then make room."""
    assert ctx.get(dut.full)
    assert not ctx.get(dut.bytes.ready)
    found = ctx.get(dut.short), ctx.get(dut.long)
    ctx.set(dut.taken, 1)
    await ctx.tick()
    ctx.set(dut.taken, 0)
    assert not ctx.get(dut.full)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_frames_of_any_length_are_told_apart(seed: int) -> None:
    rng = random.Random(seed)
    size, counted = rng.randint(1, 64), rng.random() < 0.3
    dut: Any = FrameReceiver(CONFIG)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.size, size - 1)
        ctx.set(dut.counted, counted)
        ctx.set(dut.enable, 1)
        for _ in range(12):
            length = size if counted else rng.choice([size, size, rng.randint(1, size), rng.randint(size, 3 * size)])
            frame = [rng.getrandbits(8) for _ in range(length)]
            lasts = {at for at in range(length) if rng.random() < 0.3} if counted else {length - 1}
            words = await send(ctx, dut, frame, lasts, rng)
            assert await take(ctx, dut) == (length < size, length > size)
            if length >= size:
                right = feed_words(np.array(frame[:size], dtype=np.uint8)).tolist()
                mask = (1 << 8 * (size % 4 or 4)) - 1
                found = [words[at] for at in range(len(right))]
                assert found[:-1] == right[:-1]
                assert found[-1] & mask == right[-1]

    simulate(dut, bench)


def test_what_there_is_of_a_frame_is_forgotten_where_streams_are_closed() -> None:
    rng = random.Random(5)
    dut: Any = FrameReceiver(CONFIG)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.size, 7)
        for length, ended in ((3, False), (8, True), (11, False)):
            ctx.set(dut.enable, 1)
            await send(ctx, dut, list(range(length)), {length - 1} if ended else set(), rng)
            assert ctx.get(dut.full) == ended
            ctx.set(dut.enable, 0)
            await ctx.tick()
            assert not ctx.get(dut.full)
            assert not ctx.get(dut.bytes.ready)
        ctx.set(dut.enable, 1)
        assert await send(ctx, dut, list(range(8)), {7}, rng) == {0: 0x03020100, 1: 0x07060504}
        assert await take(ctx, dut) == (0, 0)

    simulate(dut, bench)


@pytest.mark.parametrize("counted", [0, 1])
def test_an_abort_ends_the_frame_under_way_and_is_no_byte(counted: int) -> None:
    rng = random.Random(6)
    dut: Any = FrameReceiver(CONFIG)

    async def abort(ctx: Any, *, last: bool) -> None:
        ctx.set(dut.bytes.valid, 1)
        ctx.set(dut.bytes.payload.error, 1)
        ctx.set(dut.bytes.payload.last, last)
        assert ctx.get(dut.bytes.ready) and not ctx.get(dut.frame.enable)
        await ctx.tick()
        ctx.set(dut.bytes.valid, 0)
        ctx.set(dut.bytes.payload.error, 0)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.size, 7)
        ctx.set(dut.counted, counted)
        ctx.set(dut.enable, 1)
        for _ in range(2):
            await abort(ctx, last=False)
            assert not ctx.get(dut.full)
        await abort(ctx, last=True)  # all bytes of a frame were lost
        assert await take(ctx, dut) == (1, 0)
        for length in (5, 11) if not counted else (5,):
            await send(ctx, dut, list(range(length)), set(), rng)
            await abort(ctx, last=rng.random() < 0.5)
            assert await take(ctx, dut) == (length < 8, length > 8)
        assert await send(ctx, dut, list(range(8)), {7}, rng) == {0: 0x03020100, 1: 0x07060504}
        assert await take(ctx, dut) == (0, 0)

    simulate(dut, bench)
