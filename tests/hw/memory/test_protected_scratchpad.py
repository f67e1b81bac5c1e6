"""ProtectedScratchpad: words come back whole, and what their check bits say comes with them."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from amaranth_bench import simulate
from narrows.hw.memory.protected_scratchpad import ProtectedScratchpad

DEPTH, GRANULE, USED = 8, 8, (8, 8, 5)
WIDTH = GRANULE * len(USED)


def _used(word: int) -> int:
    """A word without the bits that are not stored."""
    return sum(word & ((1 << used) - 1) << GRANULE * place for place, used in enumerate(USED))


@pytest.mark.parametrize("protection", ["parity", "secded"])
@pytest.mark.parametrize(("read_cycles", "near"), [(1, 0), (2, 0), (2, 1)])
def test_words_are_those_written_and_sound(protection: str, read_cycles: int, near: int) -> None:
    shape = {"depth": DEPTH, "width": WIDTH, "granule": GRANULE, "read_cycles": read_cycles, "near": near}
    dut: Any = ProtectedScratchpad(protection=protection, used=USED, read_back=True, **shape)
    late = read_cycles + near + (protection == "secded")
    rng = np.random.default_rng(late)
    words = [0] * DEPTH

    async def bench(ctx: Any) -> None:
        for _ in range(30):
            word, enable = int(rng.integers(1 << WIDTH)), int(rng.integers(1 << len(USED)))
            address = int(rng.integers(DEPTH))
            mask = sum(0xFF << GRANULE * place for place in range(len(USED)) if enable >> place & 1)
            words[address] = words[address] & ~mask | _used(word) & mask
            ctx.set(dut.write_address, address)
            ctx.set(dut.write_data, word)
            ctx.set(dut.write_enable, enable)
            await ctx.tick()
            ctx.set(dut.write_enable, 0)
            await ctx.tick()
            assert _used(ctx.get(dut.read_back)) == _used(words[address])
            ctx.set(dut.read_address, address)
            await ctx.tick().repeat(late)
            assert _used(ctx.get(dut.read_data)) == _used(words[address])
            await ctx.tick()
            assert not ctx.get(dut.check.as_value()) and not ctx.get(dut.back_check.as_value())

    simulate(dut, bench)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # of the component that was refused
def test_every_granule_is_named() -> None:
    with pytest.raises(ValueError, match="used must name 3 granules, not 2"):
        ProtectedScratchpad(protection="parity", used=(8, 8), depth=4, width=24, granule=8)
    gc.collect()
