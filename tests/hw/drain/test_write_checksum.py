"""WriteChecksum: the checksum of the contract, several rows at once in their order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate
from narrows.hw.drain.write_checksum import WriteChecksum
from narrows.hw.spec.checksum import checksum, fold
from narrows.hw.spec.config import AcceleratorConfig


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_what_is_written_is_summed_up_in_order(rows: int) -> None:
    config = AcceleratorConfig(rows=4, columns=8, lanes=16, rescalers=8, drain_rows=rows)
    dut: Any = WriteChecksum(config)
    rng = np.random.default_rng(rows)
    bits = config.rescalers * config.code_bits

    async def bench(ctx: Any) -> None:
        for _ in range(4):
            written: list[int] = []
            ctx.set(dut.run, 0)
            await ctx.tick()
            ctx.set(dut.run, 1)
            for _ in range(25):
                parts = rng.integers(0, 1 << bits, rows).tolist()
                valid, beside = int(rng.integers(2)), int(rng.integers(rows))
                ctx.set(dut.valid, valid)
                ctx.set(dut.word, parts[0])
                if rows > 1:
                    ctx.set(dut.granules.as_value(), pack(parts[1:], bits))
                    ctx.set(dut.beside, ((1 << beside) - 1) * valid)
                written += parts[: 1 + beside] if valid else []
                await ctx.tick()
            ctx.set(dut.valid, 0)
            if rows > 1:
                ctx.set(dut.beside, 0)
            await ctx.tick().repeat(2)
            assert ctx.get(dut.checksum) == checksum(fold(np.array(written, dtype=object), bits))

    simulate(dut, bench)
