"""Scratchpad: words, granules and the read's cycle."""

from __future__ import annotations

import gc
import re
from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate, unpack
from narrows.hw.memory.scratchpad import Scratchpad
from narrows.hw.verilog import convert


@pytest.mark.parametrize(("depth", "width", "granule"), [(1, 8, 8), (5, 12, 4), (64, 32, 32), (16, 40, 8)])
def test_random_granule_writes_read_back(depth: int, width: int, granule: int) -> None:
    dut: Any = Scratchpad(depth=depth, width=width, granule=granule)
    rng = np.random.default_rng(depth + width)
    count = width // granule
    expected = np.zeros((depth, count), dtype=np.int64)

    async def bench(ctx: Any) -> None:
        for cycle in range(150):
            written, read = int(rng.integers(depth)), int(rng.integers(depth))
            enable = rng.integers(0, 2, count)
            if read == written:
                enable[:] = 0
            granules = rng.integers(0, 1 << granule, count)
            ctx.set(dut.write_address, written)
            ctx.set(dut.write_data, pack(granules, granule))
            ctx.set(dut.write_enable, pack(enable, 1))
            ctx.set(dut.read_address, read)
            await ctx.tick()
            assert unpack(ctx.get(dut.read_data), granule, count) == expected[read].tolist(), f"cycle {cycle}"
            expected[written] = np.where(enable, granules, expected[written])

    simulate(dut, bench)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # of the component that was refused
def test_a_granule_that_does_not_divide_the_width_is_refused() -> None:
    with pytest.raises(ValueError, match="granule must divide the width of 12 bits, not 5"):
        Scratchpad(depth=4, width=12, granule=5)
    gc.collect()


@pytest.mark.parametrize(("depth", "bits"), [(512, 9), (600, 10), (1024, 10)])
def test_a_block_ram_has_an_address_for_every_word(depth: int, bits: int) -> None:
    text = convert(Scratchpad(depth=depth, width=16, granule=8, read_cycles=2), "scratchpad")
    assert re.findall(r"\.ADDRESS\(32'd(\d+)\)", text) == [str(bits)]
