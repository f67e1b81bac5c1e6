"""SplitScratchpad: a scratchpad that answers some cycles later, whatever the parts of its words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate, unpack
from narrows.hw.memory.split_scratchpad import SplitScratchpad


@pytest.mark.parametrize(
    ("width", "granule", "read_back", "near"),
    [(8, 8, False, 1), (12, 4, False, 1), (32, 16, True, 1), (40, 8, True, 2), (24, 8, False, 2), (64, 8, True, 2)],
)
def test_random_granule_writes_read_back(width: int, granule: int, read_back: bool, near: int) -> None:
    depth, count = 16, width // granule
    dut: Any = SplitScratchpad(near=near, depth=depth, width=width, granule=granule, read_back=read_back)
    rng = np.random.default_rng(width)
    expected = np.zeros((depth, count), dtype=np.int64)

    async def bench(ctx: Any) -> None:
        line: list[int | None] = [None] * near  # addresses on their way
        for cycle in range(150):
            asked = line[0]
            written, read = int(rng.integers(depth)), int(rng.integers(depth))
            # what is read in this cycle was asked for some before
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
            line = [*line[1:], read]

    simulate(dut, bench)
