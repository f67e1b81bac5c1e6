"""SinglePortMemory: reads between writes of granules, in the model and in Verilog."""

from __future__ import annotations

import gc
import re
from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate, unpack
from narrows.hw.memory.single_port_memory import SinglePortMemory
from narrows.hw.verilog import convert


@pytest.mark.parametrize(("depth", "width", "granule"), [(1, 16, 4), (40, 32, 8), (64, 48, 16)])
def test_random_granule_writes_read_back(depth: int, width: int, granule: int) -> None:
    dut: Any = SinglePortMemory(depth=depth, width=width, granule=granule)
    rng = np.random.default_rng(depth + width)
    count = width // granule
    expected = np.zeros((depth, count), dtype=np.int64)

    async def bench(ctx: Any) -> None:
        for cycle in range(150):
            word = int(rng.integers(depth))
            enable = rng.integers(0, 2, count) * rng.integers(0, 2)
            granules = rng.integers(0, 1 << granule, count)
            ctx.set(dut.address, word)
            ctx.set(dut.write_data, pack(granules, granule))
            ctx.set(dut.write_enable, pack(enable, 1))
            await ctx.tick()
            if not enable.any():
                assert unpack(ctx.get(dut.read_data), granule, count) == expected[word].tolist(), f"cycle {cycle}"
            expected[word] = np.where(enable, granules, expected[word])

    simulate(dut, bench)


def test_a_netlist_has_an_instance_for_every_16_bits_and_brings_their_definition() -> None:
    text = convert(SinglePortMemory(depth=300, width=48, granule=8), "memory")
    assert text.count("\n  narrows_ram ") == 3
    assert text.count("module narrows_ram") == 1
    enables = re.findall(r"\.write_enable\(\{([^}]*)\}\)", text)
    expected = [[f"write_enable[{1 + at}]", f"write_enable[{1 + at}:{at}]", f"write_enable[{at}]"] for at in (0, 2, 4)]
    assert sorted(each.replace(" ", "").split(",") for each in enables) == expected


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # of the component that was refused
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"depth": 16385, "width": 16, "granule": 4}, "depth must be 1 to 16384, not 16385"),
        ({"depth": 4, "width": 24, "granule": 4}, "width must be a multiple of 16 and of granule"),
        ({"depth": 4, "width": 16, "granule": 2}, "granule, a multiple of 4, not 16 and 2"),
    ],
)
def test_what_the_memories_cannot_do_is_refused(shape: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SinglePortMemory(**shape)
    gc.collect()
