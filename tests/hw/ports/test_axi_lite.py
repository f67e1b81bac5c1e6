"""AxiLitePort: a master that orders its channels as it likes and holds answers back, against a model; refusals."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hostile_axi_lite import HostileMaster, Request
from narrows.hw.ports.axi_lite import AxiLitePort
from narrows.hw.spec.pipeline import HOST_READ_CYCLES
from narrows.hw.spec.registers import REGION_BITS, Region
from port_harness import Words, run_with_port

OKAY, SLVERR = 0, 2


def address(region: Region, offset: int) -> int:
    return region << REGION_BITS | offset << 2


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_order_of_its_channels_each_access_is_answered_once(seed: int) -> None:
    rng = random.Random(seed)
    port: Any = AxiLitePort()
    writes, reads = [], []
    for _ in range(150):
        place = address(rng.choice(list(Region)), rng.randrange(4))
        damaged, kind = rng.random() < 0.2, rng.random()
        if kind < 0.5:
            strobe = rng.randrange(15) if damaged else 15
            writes.append(Request(place | (rng.randrange(4) if damaged else 0), rng.getrandbits(32), strobe))
        else:
            reads.append(Request(place | (rng.randrange(1, 4) if damaged else 0)))

    async def body(ctx: Any, words: Words) -> None:
        master = HostileMaster(ctx, port.pins, rng, share=rng.choice([0.0, 0.3, 0.8]))
        written, read = await master.play(writes, reads)
        await ctx.tick().repeat(2)
        assert written == [
            OKAY if request.strobe == 15 and request.address % 4 == 0 else SLVERR for request in writes
        ], f"seed {seed}"
        model: Words = {}
        for request, response in zip(writes, written, strict=True):
            if response == OKAY:
                model[request.address >> REGION_BITS, request.address % (1 << REGION_BITS) // 4] = request.value
        assert words == model, f"seed {seed}"
        possible = {place: {0} for place in {request.address for request in reads}}
        for request, response in zip(writes, written, strict=True):
            if response == OKAY:
                possible.setdefault(request.address, {0}).add(request.value)
        for request, (word, response) in zip(reads, read, strict=True):
            assert response == (SLVERR if request.address % 4 else OKAY), f"seed {seed}"
            assert word in (possible[request.address] if response == OKAY else {0}), f"seed {seed}"

    run_with_port(port, body)


def test_neither_reads_nor_writes_starve() -> None:
    port: Any = AxiLitePort()

    async def body(ctx: Any, words: Words) -> None:
        for name in ("awvalid", "wvalid", "arvalid", "bready", "rready"):
            ctx.set(getattr(port.pins, name), 1)
        ctx.set(port.pins.wstrb, 15)
        taken = {"awready": 0, "arready": 0}
        for _ in range(20 * (HOST_READ_CYCLES + 4)):
            for name in taken:
                taken[name] += ctx.get(getattr(port.pins, name))
            await ctx.tick()
        assert min(taken.values()) >= 18 and max(taken.values()) <= min(taken.values()) + 1

    run_with_port(port, body)


def test_memories_are_refused_while_busy_and_only_writes_are_conflicts() -> None:
    port: Any = AxiLitePort()

    async def body(ctx: Any, words: Words) -> None:
        words[Region.ACTIVATIONS, 3] = 9
        ctx.set(port.bus.busy, 1)
        place = address(Region.ACTIVATIONS, 3)
        for writes, reads in (([Request(place, 7)], []), ([], [Request(place)])):
            seen = {"conflict": 0, "refused": 0}

            def watch(seen: dict[str, int] = seen) -> None:
                for name in seen:
                    seen[name] += ctx.get(getattr(port.bus, name))

            master = HostileMaster(ctx, port.pins, random.Random(1), share=0.0, watch=watch)
            assert await master.play(writes, reads) == ([SLVERR] * len(writes), [(0, SLVERR)] * len(reads))
            assert seen == {"conflict": len(writes), "refused": 1}
        assert words == {(Region.ACTIVATIONS, 3): 9}

    run_with_port(port, body)
