"""ActivationBank: the core is never kept waiting; loader and storer are served in the cycles that it leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate
from narrows.hw.memory.activation_bank import ActivationBank
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline

SHAPE = {"rows": 4, "columns": 2, "lanes": 8, "rescalers": 2, "act_words": 64, "backing": "axi4"}
CONFIGS = {
    "one row": AcceleratorConfig(**SHAPE),
    "four rows": AcceleratorConfig(**SHAPE, drain_rows=4),
    "one port": AcceleratorConfig(**SHAPE, memories="single"),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_whoever_is_served_reads_and_writes_what_it_asked_for(config: AcceleratorConfig) -> None:
    dut: Any = ActivationBank(config)
    single, latency = config.memories == "single", pipeline(config).bank_read
    rng = np.random.default_rng(3)
    depth, width = config.act_words // config.banks, 4 * config.rescalers
    words = np.zeros((depth, config.granules), dtype=np.int64)
    served = {"load": 0, "store": 0}

    def put(ctx: Any, port: Any, asks: bool) -> tuple[int, np.ndarray, np.ndarray]:
        address, enable = int(rng.integers(depth)), rng.integers(0, 2, config.granules) * int(asks)
        data = rng.integers(0, 1 << width, config.granules)
        ctx.set(port.valid, int(asks))
        ctx.set(port.address, address)
        ctx.set(port.data, pack(data, width))
        ctx.set(port.enable, pack(enable, 1))
        return address, data, enable

    async def bench(ctx: Any) -> None:
        reads: list[int | None] = []
        stored: int | None = None
        for cycle in range(400):
            writer = int(rng.integers(2 * config.drain_rows))
            core = [put(ctx, port, row == writer) for row, port in enumerate(dut.writes)]
            writing = any(enable.any() for _, _, enable in core)
            busy = {address for address, _, enable in core if enable.any()}
            ctx.set(dut.reading, reading := int(rng.integers(2)))
            ctx.set(dut.address, read := int(rng.integers(depth)))
            loads, stores = bool(rng.integers(2)), bool(rng.integers(2))
            load = put(ctx, dut.load, loads)
            ctx.set(dut.store.valid, int(stores))
            ctx.set(dut.store.address, wanted := int(rng.integers(depth)))
            free = not writing and not (single and reading)
            assert ctx.get(dut.load.ready) == int(free)
            assert ctx.get(dut.store.ready) == int(free and not loads)
            if loads and free and load[2].any():
                busy.add(load[0])
            # a word read while it is written is nobody's; a single port reads nothing then
            right = read not in busy and (not single or (bool(reading) and not writing))
            reads.append(pack(words[read], width) if right else None)
            if stored is not None:
                assert ctx.get(dut.store.data) == stored, f"cycle {cycle}"
            stored = pack(words[wanted], width) if stores and free and not loads else None
            await ctx.tick()
            for address, data, enable in [*core, load] if free else core:
                words[address] = np.where(enable, data, words[address])
            served["load"] += loads and free
            served["store"] += stored is not None
            if len(reads) >= latency and (expected := reads[-latency]) is not None:
                assert ctx.get(dut.word) == expected, f"cycle {cycle}"

    simulate(dut, bench)
    assert min(served.values()) > 20
