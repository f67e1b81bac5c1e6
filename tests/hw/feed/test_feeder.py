"""Feeder: frames laid out as the definition says, whatever the layout, and given up in the middle."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from amaranth_bench import simulate, unpack
from feed_cases import FeedCase, feed_case
from narrows.hw.feed.feeder import Feeder
from narrows.hw.spec.feed import BYTES, feed_words, laid_out
from numpy.typing import NDArray

SEEDS = range(16)


def fill(case: FeedCase) -> Any:
    """A bench's first part: write all that the feeder holds."""

    async def write(ctx: Any, port: Any, words: NDArray[np.uint32]) -> None:
        for offset, word in enumerate(words.reshape(-1).tolist()):
            ctx.set(port.enable, 1)
            ctx.set(port.offset, offset)
            ctx.set(port.data, word)
            await ctx.tick()
        ctx.set(port.enable, 0)

    async def bench(ctx: Any, dut: Any) -> None:
        await write(ctx, dut.feed, case.plan.words)
        await write(ctx, dut.codes, case.codes)
        await write(ctx, dut.frame, feed_words(case.frame))

    return bench


async def lay_out(ctx: Any, dut: Any, case: FeedCase, following: Sequence[int] = ()) -> dict[int, list[int]]:
    """Words written by one frame, while those of the following one come, one a cycle from that of ``go`` on."""
    lanes, bits, granules = case.config.lanes, case.config.code_bits, case.config.granules
    found: dict[int, list[int]] = {}
    ctx.set(dut.feeding.go, 1)
    coming = iter([*enumerate(following)])
    for _ in range(200_000):
        offset, data = next(coming, (0, None))
        ctx.set(dut.frame.enable, data is not None)
        ctx.set(dut.frame.offset, offset)
        ctx.set(dut.frame.data, data or 0)
        if ctx.get(dut.write.valid):
            word = found.setdefault(ctx.get(dut.write.address), [-1] * lanes)
            codes = unpack(ctx.get(dut.write.data), bits, lanes)
            size = lanes // granules
            for granule in range(granules):
                if ctx.get(dut.write.enable) >> granule & 1:
                    word[size * granule : size * (granule + 1)] = codes[size * granule : size * (granule + 1)]
        if ctx.get(dut.feeding.ended):
            await ctx.tick()
            ctx.set(dut.frame.enable, 0)
            assert not ctx.get(dut.feeding.busy)
            assert next(coming, None) is None
            return found
        assert ctx.get(dut.feeding.busy) != ctx.get(dut.feeding.go)
        await ctx.tick()
        ctx.set(dut.feeding.go, 0)
    raise AssertionError("the frame never ends")


def expected(case: FeedCase, memory: NDArray[np.uint8] | None = None) -> dict[int, list[int]]:
    memory = case.memory if memory is None else memory
    addresses, words = laid_out(case.plan.words, case.codes, memory, case.config)
    return dict(zip(addresses.tolist(), words.tolist(), strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_frames_are_laid_out_as_the_definition_says(seed: int) -> None:
    case = feed_case(random.Random(seed))
    dut: Any = Feeder(case.config)

    async def bench(ctx: Any) -> None:
        await fill(case)(ctx, dut)
        other = np.zeros_like(case.memory)
        other[: len(case.frame)] = np.random.default_rng(seed).integers(0, 256, len(case.frame))
        words = feed_words(other[: len(case.frame)]).tolist()
        assert await lay_out(ctx, dut, case, words) == expected(case)
        assert await lay_out(ctx, dut, case) == expected(case, other)

    simulate(dut, bench)


@pytest.mark.parametrize("seed", range(6))
def test_a_frame_that_is_given_up_leaves_nothing_behind(seed: int) -> None:
    rng = random.Random(seed)
    case = feed_case(rng)
    dut: Any = Feeder(case.config)

    async def bench(ctx: Any) -> None:
        await fill(case)(ctx, dut)
        for _ in range(4):
            ctx.set(dut.feeding.go, 1)
            await ctx.tick()
            ctx.set(dut.feeding.go, 0)
            for _ in range(rng.randrange(120)):
                await ctx.tick()
            ctx.set(dut.feeding.clear, 1)
            await ctx.tick()
            ctx.set(dut.feeding.clear, 0)
            for _ in range(40):
                if not ctx.get(dut.feeding.busy):
                    break
                assert not ctx.get(dut.feeding.ended)
                await ctx.tick()
            assert not ctx.get(dut.feeding.busy)
            assert not ctx.get(dut.write.valid)
        await fill(case)(ctx, dut)
        assert await lay_out(ctx, dut, case) == expected(case)

    simulate(dut, bench)


def test_codes_have_an_entry_for_every_byte() -> None:
    assert len(feed_case(random.Random(0)).codes) == BYTES
