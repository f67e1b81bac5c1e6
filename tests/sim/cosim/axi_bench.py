"""The cocotb side of test_axi.py: random AXI4-Lite traffic against a core, with pauses on every channel."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import Opcode
from narrows.hw.spec.registers import (
    MAGIC,
    VERSION,
    Access,
    Control,
    Fault,
    Interrupt,
    Region,
    Register,
    Status,
    core_registers,
    region_address,
    region_beats,
    region_depth,
)
from pin_traffic import configured, finish, long_run, pause_channels, reset

OKAY, SLVERR = AxiResp.OKAY, AxiResp.SLVERR


class Traffic:
    """A core with its bus model."""

    def __init__(self, top: Any, config: AcceleratorConfig) -> None:
        self.top, self.config, self.rng = top, config, random.Random(1)
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(top, "s_axil"), top.clk, top.rst)
        self.count = 0

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
    host = Traffic(top, configured())
    await reset(top)
    for share in (0.0, 0.3, 0.7):
        pause_channels(host.master, share)
        await registers(host)
        await windows(host)
        await refusals(host)
        await conflicts(host)
    finish(transactions=host.count)


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
        kept = {Register.IRQ_ENABLE: value % (1 << len(Interrupt)), Register.IRQ_STATUS: before & ~value}
        expected = kept.get(register, value) if register.access is Access.WRITE else before
        assert await host.get(register.offset) == expected
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
    """While a run lasts the memories refuse: a write ends it in a fault, a read leaves it alone."""
    config, rng = host.config, host.rng
    await host.put(Register.PROGRAM_CONFIG.offset, config.hash32)
    for address, word in long_run(config):
        await host.put(address, word)
    for region in rng.sample([region for region in Region if region is not Region.REGISTERS], 4):
        await host.put(Register.CONTROL.offset, Control.START)
        assert await host.get(Register.STATUS.offset) == Status.BUSY
        address = region_address(config, region)
        if rng.random() < 0.5:
            assert await host.write(address, rng.getrandbits(32)) == SLVERR
            fault = Status.FAULT | Fault.HOST_ACCESS << 8
        else:
            assert await host.read(address) == (0, SLVERR)
            fault = Status.BUSY
        assert (await host.get(Register.STATUS.offset)) | Status.BUSY == fault | Status.BUSY | Status.REFUSED
        await host.put(Register.CONTROL.offset, Control.CLEAR)
        while (await host.get(Register.STATUS.offset)) & Status.BUSY:
            await ClockCycles(host.top.clk, 5)
        assert await host.get(Register.STATUS.offset) == 0
    await host.put(region_address(config, Region.INSTRUCTIONS), Opcode.END)
    await host.put(Register.CONTROL.offset, Control.START)
    while await host.get(Register.STATUS.offset) != Status.DONE:
        await ClockCycles(host.top.clk, 5)
