"""What benches at the pins of a core share, inside the simulator: reset, pauses, a long run, and their result."""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import COMPUTE, INSTRUCTION_WORDS, Opcode
from narrows.hw.spec.registers import Region, region_address

__all__ = ["configured", "finish", "long_run", "pause_channels", "reset"]


def configured() -> AcceleratorConfig:
    """Configuration of the core under test."""
    return AcceleratorConfig.from_dict(json.loads(os.environ["NARROWS_CONFIG"]))


async def reset(top: Any) -> None:
    """Start the clock and reset the core."""
    cocotb.start_soon(Clock(top.clk, 10, "ns").start())
    top.rst.value = 1
    await ClockCycles(top.clk, 4)
    top.rst.value = 0
    await RisingEdge(top.clk)


def finish(**values: int) -> None:
    """Leave what `pin_bench.run_at_pins` returns."""
    Path(os.environ["NARROWS_RESULT"]).write_text(json.dumps(values), encoding="utf-8")


def _pauses(seed: int, share: float) -> Iterator[bool]:
    """Endless pauses, at random and in bursts."""
    rng = random.Random(seed)
    return itertools.chain.from_iterable([rng.random() < share] * rng.randint(1, 4) for _ in itertools.count())


def pause_channels(model: Any, share: float) -> None:
    """Pause all five channels of a cocotbext-axi master or memory independently from now on."""
    write, read = model.write_if, model.read_if
    channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
    for seed, channel in enumerate(channels):
        channel.set_pause_generator(_pauses(seed, share))


def long_run(config: AcceleratorConfig) -> Iterator[tuple[int, int]]:
    """Address and word of each write that makes a program of one COMPUTE over 3,600 pixels."""
    fields = {
        "opcode": Opcode.COMPUTE,
        "rows": 1,
        "planes": 1,
        "out_height": 60,
        "out_width": 60,
        "block_count": 1,
        "column_groups": 4,
        "channel_period": 1,
    }
    for index, record in enumerate((fields, {"opcode": Opcode.END})):
        for number, word in enumerate(COMPUTE.encode(record)):
            yield region_address(config, Region.INSTRUCTIONS, index * INSTRUCTION_WORDS + number), word
    for beat, word in enumerate((0, 1 << 16, 1 << 12, 0)):
        yield region_address(config, Region.BLOCKS, 0, beat), word
