"""PriorityArbiter: in each cycle the first client that asks is served, as if it were alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import simulate
from narrows.hw.cells.interfaces import MemoryRead, MemoryWrite
from narrows.hw.memory.priority_arbiter import PriorityArbiter


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_first_that_asks_is_served(count: int) -> None:
    dut: Any = PriorityArbiter(MemoryWrite(6, 8, 2), count)
    rng = np.random.default_rng(count)

    async def bench(ctx: Any) -> None:
        for _ in range(60):
            asks, ready = rng.integers(0, 2, count), int(rng.integers(4) > 0)
            asked = rng.integers(0, 64, count)
            ctx.set(dut.memory.ready, ready)
            for client, valid, address in zip(dut.clients, asks.tolist(), asked.tolist(), strict=True):
                ctx.set(client.valid, valid)
                ctx.set(client.address, address)
                ctx.set(client.data, address ^ 5)
                ctx.set(client.enable, address & 3)
            served = int(np.argmax(asks)) if asks.any() else count - 1
            port = tuple(ctx.get(getattr(dut.memory, name)) for name in ("valid", "address", "data", "enable"))
            assert port == (int(asks.any()), asked[served], asked[served] ^ 5, asked[served] & 3)
            found = [ctx.get(client.ready) for client in dut.clients]
            assert found == [int(ready and not asks[:number].any()) for number in range(count)]
            await ctx.tick()

    simulate(dut, bench)


def test_what_the_memory_answers_reaches_all() -> None:
    dut: Any = PriorityArbiter(MemoryRead(6, 8), 3)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.memory.data, 77)
        assert [ctx.get(client.data) for client in dut.clients] == [77] * 3

    simulate(dut, bench)
