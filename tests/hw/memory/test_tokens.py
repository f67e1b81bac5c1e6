"""Tokens: what one unit gives, its neighbour finds, and nobody else."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from amaranth_bench import simulate
from narrows.hw.memory.tokens import Tokens
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.isa import Unit

SEED = 5


def test_counters_of_all_pairs_follow_what_is_given_and_taken() -> None:
    dut: Any = Tokens(PRESETS["tiny"])
    rng = np.random.default_rng(SEED)

    async def bench(ctx: Any) -> None:
        counts: Counter[tuple[int, int]] = Counter()
        for cycle in range(400):
            given: Counter[tuple[int, int]] = Counter()
            for unit in Unit:
                around = {"prev": (unit - 1) % 3, "next": (unit + 1) % 3}
                for side, other in around.items():
                    here = counts[other, unit]
                    assert ctx.get(dut.units[unit].has[side]) == (here > 0), (SEED, cycle, unit, side)
                    take, post = int(here > 0 and rng.integers(2)), int(rng.integers(8) < 3)
                    ctx.set(dut.units[unit].take[side], take)
                    ctx.set(dut.units[unit].post[side], post)
                    given[other, unit] -= take
                    given[unit, other] += post
            ctx.set(dut.clear, clear := int(rng.integers(100) == 0))
            await ctx.tick()
            counts.update(given)
            if clear:
                counts.clear()
            counts = Counter({pair: min(count, 63) for pair, count in counts.items()})

    simulate(dut, bench)
