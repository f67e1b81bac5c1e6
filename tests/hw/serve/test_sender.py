"""AnswerSender: what leaves is what the definition says, whoever takes it and when."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth_bench import simulate
from answer_cases import AnswerCase, answer_case
from narrows.hw.serve.sender import AnswerSender
from narrows.hw.spec.answer import answer_of
from narrows.hw.spec.pipeline import pipeline
from narrows.hw.spec.words import pack_codes


async def write(ctx: Any, dut: Any, case: AnswerCase) -> None:
    for offset, word in enumerate(case.words.tolist()):
        ctx.set(dut.host.enable, 1)
        ctx.set(dut.host.offset, offset)
        ctx.set(dut.host.data, word)
        await ctx.tick()
    ctx.set(dut.host.enable, 0)


async def answer(
    ctx: Any, dut: Any, case: AnswerCase, rng: random.Random, *, failed: bool = False
) -> list[tuple[int, bool]]:
    """Bytes with their errors, from a memory that answers as late as the plan says and with nonsense when not asked."""
    beats = pack_codes(case.memory, case.config.code_bits).reshape(-1)
    late = pipeline(case.config).activation_read
    asked: list[int | None] = [None] * late
    found: list[tuple[int, bool]] = []
    assert not ctx.get(dut.busy)
    ctx.set(dut.go, 1)
    ctx.set(dut.failed, failed)
    readiness = rng.choice([0.2, 1.0])
    for _ in range(20_000):
        ready = rng.random() < readiness
        ctx.set(dut.bytes.ready, ready)
        asked.append(ctx.get(dut.offset) if ctx.get(dut.reading) else None)
        place = asked.pop(0)
        ctx.set(dut.beat, rng.getrandbits(32) if place is None else int(beats[place % len(beats)]))
        if ctx.get(dut.bytes.valid) and ready:
            byte = dut.bytes.payload
            found.append((ctx.get(byte.byte), bool(ctx.get(byte.error))))
            if ctx.get(byte.last):
                await ctx.tick()
                assert not ctx.get(dut.busy)
                return found
        await ctx.tick()
        ctx.set(dut.go, 0)
        ctx.set(dut.failed, rng.random() < 0.5)
    raise AssertionError("the answer never ends")


@pytest.mark.parametrize("seed", range(24))
def test_answers_are_those_of_the_definition(seed: int) -> None:
    rng = random.Random(seed)
    case = answer_case(rng)
    dut: Any = AnswerSender(case.config)
    right = [(byte, False) for byte in answer_of(case.words, case.memory, case.config)]

    async def bench(ctx: Any) -> None:
        await write(ctx, dut, case)
        assert ctx.get(dut.size) == int(case.words[0] & 0xFFFF)
        assert await answer(ctx, dut, case, rng) == right
        assert await answer(ctx, dut, case, rng, failed=True) == [(0, True)]
        assert await answer(ctx, dut, case, rng) == right

    simulate(dut, bench)


def test_an_answer_takes_as_long_as_the_docstring_says() -> None:
    case = next(case for case in map(answer_case, map(random.Random, range(99))) if case.kind == 1)
    dut: Any = AnswerSender(case.config)
    planes = int(case.words[4]) >> 16 & 0xF
    each = (planes + 1) * (pipeline(case.config).activation_read + 2) + 1 + 2

    async def bench(ctx: Any) -> None:
        await write(ctx, dut, case)
        ctx.set(dut.bytes.ready, 1)
        ctx.set(dut.go, 1)
        await ctx.tick()
        ctx.set(dut.go, 0)
        cycles = 0
        while ctx.get(dut.busy):
            cycles += 1
            await ctx.tick()
        assert cycles == 1 + case.levels.size * each

    simulate(dut, bench)
