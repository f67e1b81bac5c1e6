"""SplitScratchpad: a scratchpad that answers a cycle later, whatever the parts of its words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate, unpack
from narrows.hw.memory.split_scratchpad import SplitScratchpad


@pytest.mark.parametrize(
    ("width", "granule", "read_back"), [(8, 8, False), (12, 4, False), (32, 16, True), (40, 8, True)]
)
def test_random_granule_writes_read_back(width: int, granule: int, read_back: bool) -> None:
    depth, count = 16, width // granule
    dut: Any = SplitScratchpad(depth=depth, width=width, granule=granule, read_back=read_back)
    rng = np.random.default_rng(width)
    expected = np.zeros((depth, count), dtype=np.int64)

    async def bench(ctx: Any) -> None:
        asked = None
        for cycle in range(150):
            written, read = int(rng.integers(depth)), int(rng.integers(depth))
            # what is read in this cycle was asked for in the one before
            enable = rng.integers(0, 2, count) * (written != asked) * int(rng.integers(0, 2))
            granules = rng.integers(0, 1 << granule, count)
            ctx.set(dut.write_address, written)
            ctx.set(dut.write_data, pack(granules, granule))
            ctx.set(dut.write_enable, pack(enable, 1))
            ctx.set(dut.read_address, read)
            wanted = None if asked is None else expected[asked].tolist()
            quiet = None if enable.any() else expected[written].tolist()
            await ctx.tick()
            if wanted is not None:
                assert unpack(ctx.get(dut.read_data), granule, count) == wanted, f"cycle {cycle}"
            if read_back and quiet is not None:
                assert unpack(ctx.get(dut.read_back), granule, count) == quiet, f"cycle {cycle}"
            expected[written] = np.where(enable, granules, expected[written])
            asked = read

    simulate(dut, bench)
