"""The cocotb side of test_axi.py: random AXI4-Lite traffic against a core, with pauses on every channel."""

from __future__ import annotations

import itertools
import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import COMPUTE, INSTRUCTION_WORDS, Opcode
from narrows.hw.spec.registers import (
    MAGIC,
    VERSION,
    Access,
    Control,
    Fault,
    Region,
    Register,
    Status,
    core_registers,
    region_address,
    region_beats,
    region_depth,
)

OKAY, SLVERR = AxiResp.OKAY, AxiResp.SLVERR


def pauses(seed: int, share: float) -> Any:
    """Endless pauses, at random and in bursts."""
    rng = random.Random(seed)
    return itertools.chain.from_iterable([rng.random() < share] * rng.randint(1, 4) for _ in itertools.count())


class Traffic:
    """A core with its bus model."""

    def __init__(self, top: Any, config: AcceleratorConfig, seed: int) -> None:
        self.top, self.config, self.rng = top, config, random.Random(seed)
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(top, "s_axil"), top.clk, top.rst)
        self.count = 0

    def pause_channels(self, share: float) -> None:
        """Pause all five channels independently from now on."""
        write, read = self.master.write_if, self.master.read_if
        channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
        for seed, channel in enumerate(channels):
            channel.set_pause_generator(pauses(seed, share))

    async def write(self, address: int, value: int) -> AxiResp:
        self.count += 1
        return (await self.master.write(address, value.to_bytes(4, "little"))).resp

    async def read(self, address: int) -> tuple[int, AxiResp]:
        self.count += 1
        result = await self.master.read(address, 4)
        return int.from_bytes(result.data, "little"), result.resp

    async def put(self, address: int, value: int) -> None:
        assert await self.write(address, value) == OKAY

    async def get(self, address: int) -> int:
        value, response = await self.read(address)
        assert response == OKAY
        return value


@cocotb.test()
async def traffic(top: Any) -> None:
    """All scenarios one after the other."""
    cocotb.start_soon(Clock(top.clk, 10, "ns").start())
    config = AcceleratorConfig.from_dict(json.loads(os.environ["NARROWS_CONFIG"]))
    host = Traffic(top, config, seed=int(os.environ["NARROWS_SEED"]))
    top.rst.value = 1
    await ClockCycles(top.clk, 4)
    top.rst.value = 0
    await RisingEdge(top.clk)
    for share in (0.0, 0.3, 0.7):
        host.pause_channels(share)
        await registers(host)
        await windows(host)
        await refusals(host)
        await conflicts(host)
    Path(os.environ["NARROWS_RESULT"]).write_text(json.dumps({"transactions": host.count}), encoding="utf-8")


async def registers(host: Traffic) -> None:
    """Constants, read-only registers and those that keep what is written."""
    constants = {Register.MAGIC: MAGIC, Register.VERSION: VERSION, Register.CONFIG: host.config.hash32}
    present = core_registers(host.config)
    for register in host.rng.sample(present, len(present)):
        if register is Register.CONTROL:
            continue
        before, value = await host.get(register.offset), host.rng.getrandbits(32)
        assert before == constants.get(register, before)
        await host.put(register.offset, value)
        assert await host.get(register.offset) == (value if register.access is Access.WRITE else before)
    await host.put(Register.WATCHDOG.offset, 0)


async def windows(host: Traffic) -> None:
    """Random beats of the activations, several accesses under way at once, against a model."""
    config = host.config
    depth, beats = region_depth(config, Region.ACTIVATIONS), region_beats(config, Region.ACTIVATIONS)
    bits = [min(32, config.act_word_bits - 32 * beat) for beat in range(beats)]
    places = [(word, beat) for word in range(depth) for beat in range(beats)]
    model = {place: host.rng.getrandbits(bits[place[1]]) for place in host.rng.sample(places, min(120, len(places)))}
    tasks = [
        cocotb.start_soon(host.put(region_address(config, Region.ACTIVATIONS, *place), value))
        for place, value in model.items()
    ]
    for task in tasks:
        await task
    order = host.rng.sample(list(model), len(model))
    tasks = [cocotb.start_soon(host.get(region_address(config, Region.ACTIVATIONS, *place))) for place in order]
    assert [await task for task in tasks] == [model[place] for place in order]
    for region in (Region.INSTRUCTIONS, Region.BLOCKS, Region.TAPS, Region.PARAMS, Region.WEIGHTS):
        assert await host.get(region_address(config, region)) == 0, "a write-only window reads as 0"


async def refusals(host: Traffic) -> None:
    """Partial strobes and addresses off the grid change nothing."""
    address = region_address(host.config, Region.ACTIVATIONS, 3)
    await host.put(address, 0x5A)
    for _ in range(12):
        first, length = host.rng.randint(0, 3), host.rng.randint(1, 3)
        host.count += 1
        assert (await host.master.write(address + first, bytes([0xFF] * min(length, 4 - first)))).resp == SLVERR
    assert await host.get(address) == 0x5A


async def conflicts(host: Traffic) -> None:
    """While a run lasts the memories refuse, and the run ends in a fault."""
    config, rng = host.config, host.rng
    await host.put(Register.PROGRAM_CONFIG.offset, config.hash32)
    fields = {
        "opcode": Opcode.COMPUTE,
        "rows": 1,
        "planes": 1,
        "out_height": 60,
        "out_width": 60,
        "block_count": 1,
        "column_groups": 4,
        "channel_period": 1,
        "width": 1,
    }
    for index, record in enumerate((fields, {"opcode": Opcode.END})):
        for number, word in enumerate(COMPUTE.encode(record)):
            await host.put(region_address(config, Region.INSTRUCTIONS, index * INSTRUCTION_WORDS + number), word)
    for beat, word in enumerate((0, 1 << 16, 1 << 12, 0)):
        await host.put(region_address(config, Region.BLOCKS, 0, beat), word)
    for region in rng.sample([region for region in Region if region is not Region.REGISTERS], 4):
        await host.put(Register.CONTROL.offset, Control.START)
        assert await host.get(Register.STATUS.offset) == Status.BUSY
        address = region_address(config, region)
        if rng.random() < 0.5:
            assert await host.write(address, rng.getrandbits(32)) == SLVERR
        else:
            assert await host.read(address) == (0, SLVERR)
        assert await host.get(Register.STATUS.offset) == Status.FAULT | Fault.HOST_ACCESS << 8
        await host.put(Register.CONTROL.offset, Control.CLEAR)
        assert await host.get(Register.STATUS.offset) == 0
    await host.put(region_address(config, Region.INSTRUCTIONS), Opcode.END)
    await host.put(Register.CONTROL.offset, Control.START)
    while await host.get(Register.STATUS.offset) != Status.DONE:
        await ClockCycles(host.top.clk, 5)
