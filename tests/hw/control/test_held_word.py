"""HeldWord: words latched for columns one after the other or for all, and what weights make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate, unpack
from narrows.hw.control.held_word import HeldWord
from narrows.hw.spec.config import AcceleratorConfig


@pytest.mark.parametrize(
    ("base", "rows", "columns"), [("dybit4", 2, 4), ("dybit4", 3, 4), ("int3", 4, 2), ("dybit2", 1, 1), ("e2m1", 2, 2)]
)
def test_weights_multiply_what_was_latched(base: str, rows: int, columns: int) -> None:
    config = AcceleratorConfig(base=base, rows=rows, columns=columns, lanes=4, rescalers=1, planes=0, dynamic=1)
    rng, digits = np.random.default_rng(rows), config.weight_digits
    held = np.zeros((columns, 4), dtype=np.int64)
    dut = HeldWord(config)

    async def bench(ctx: Any) -> None:
        nonlocal held
        for step in range(60):
            latch, alike, multiplies = (int(v) for v in rng.integers(0, 2, 3))
            words = rng.choice(digits.base.levels, (rows, 4))
            weights = rng.choice([-1, 0, 1] if multiplies else digits.base.levels, (columns, 4))
            ctx.set(dut.words, [pack(digits.base.encode(word), config.code_bits) for word in words])
            ctx.set(dut.weights, pack(digits.base.encode(weights), config.weight_bits))
            ctx.set(dut.flags, {"latch": latch, "alike": alike, "held": multiplies})
            codes = unpack(ctx.get(dut.codes), config.weight_bits, columns * 4)
            if step > 2 * columns:  # all columns hold something by then
                wanted = weights * held if multiplies else weights
                np.testing.assert_array_equal(digits.base.decode(codes).reshape(columns, 4), wanted)
            if latch or step <= 2 * columns:
                ctx.set(dut.flags.latch, 1)
                moved = np.concatenate([held[min(rows, columns) :], words[:columns]])
                held = words[np.zeros(columns, dtype=int)] if alike else moved
            await ctx.tick()

    simulate(dut, bench)
