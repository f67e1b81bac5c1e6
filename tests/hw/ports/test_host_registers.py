"""HostRegisters: the register map, and what writes and events do."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from amaranth_bench import simulate
from narrows.hw.ports.host_registers import HostRegisters
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.registers import (
    MAGIC,
    VERSION,
    Access,
    Control,
    Interrupt,
    Register,
    Status,
    core_faults,
    core_registers,
)

CONFIG = PRESETS["tiny"]


class Bus:
    """Reads and writes by register."""

    def __init__(self, ctx: Any, dut: Any) -> None:
        self.ctx, self.dut = ctx, dut

    async def read(self, register: Register) -> int:
        self.ctx.set(self.dut.offset, register.offset // 4)
        await self.ctx.tick().repeat(2)
        return self.ctx.get(self.dut.word)

    async def write(self, register: Register, value: int) -> tuple[int, int]:
        """The start and clear pulses behind the write."""
        ctx, dut = self.ctx, self.dut
        starts = int(register is Register.CONTROL and bool(value & Control.START))
        ctx.set(dut.host.enable, 1)
        ctx.set(dut.host.offset, register.offset // 4)
        ctx.set(dut.host.data, value)
        assert (ctx.get(dut.control.start), ctx.get(dut.control.clear), ctx.get(dut.control.starting)) == (0, 0, starts)
        await ctx.tick()
        ctx.set(dut.host.enable, 0)
        pulses = ctx.get(dut.control.start), ctx.get(dut.control.clear)
        assert ctx.get(dut.control.starting) == pulses[0] == starts
        await ctx.tick()
        assert (ctx.get(dut.control.start), ctx.get(dut.control.clear), ctx.get(dut.control.starting)) == (0, 0, 0)
        return pulses


def test_registers_answer_as_their_table_says() -> None:
    dut: Any = HostRegisters(CONFIG)

    async def bench(ctx: Any) -> None:
        bus = Bus(ctx, dut)
        constants = {Register.MAGIC: MAGIC, Register.VERSION: VERSION, Register.CONFIG: CONFIG.hash32}
        constants[Register.IRQ_ENABLE] = Interrupt.DONE | Interrupt.FAULT
        for register in Register:
            assert await bus.read(register) == constants.get(register, 0), register.name
        for register in core_registers(CONFIG):
            before = await bus.read(register)
            await bus.write(register, 0xDEADBEE8)  # CONTROL bits clear
            kept = register.access is Access.WRITE and register not in (Register.CONTROL, Register.IRQ_STATUS)
            bits = len(Interrupt) if register is Register.IRQ_ENABLE else 32
            assert await bus.read(register) == (0xDEADBEE8 % (1 << bits) if kept else before), register.name
        ctx.set(dut.offset, len(Register))
        await ctx.tick().repeat(2)
        assert ctx.get(dut.word) == 0

    simulate(dut, bench)


def test_control_bits_act_once() -> None:
    dut: Any = HostRegisters(CONFIG)

    async def bench(ctx: Any) -> None:
        bus = Bus(ctx, dut)
        assert await bus.write(Register.CONTROL, Control.START) == (1, 0)
        assert await bus.write(Register.CONTROL, Control.CLEAR) == (0, 1)
        assert await bus.write(Register.WATCHDOG, 3) == (0, 0)
        assert ctx.get(dut.control.watchdog) == 3

    simulate(dut, bench)


def test_only_the_cores_own_configuration_matches() -> None:
    dut: Any = HostRegisters(CONFIG)

    async def bench(ctx: Any) -> None:
        bus = Bus(ctx, dut)
        for bit in range(32):
            await bus.write(Register.PROGRAM_CONFIG, CONFIG.hash32 ^ 1 << bit)
            assert not ctx.get(dut.control.config_matches)
        await bus.write(Register.PROGRAM_CONFIG, CONFIG.hash32)
        assert ctx.get(dut.control.config_matches)

    simulate(dut, bench)


def test_status_shows_flags_and_fault() -> None:
    dut: Any = HostRegisters(CONFIG)

    async def bench(ctx: Any) -> None:
        bus = Bus(ctx, dut)
        for flag, name in ((Status.BUSY, "busy"), (Status.DONE, "done"), (Status.FAULT, "faulted")):
            ctx.set(getattr(dut.control, name), 1)
            assert await bus.read(Register.STATUS) == flag
            ctx.set(getattr(dut.control, name), 0)
        for fault in core_faults(CONFIG):
            ctx.set(dut.control.fault, fault)
            assert await bus.read(Register.STATUS) == fault << 8
        ctx.set(dut.control.fault_index, 5)
        ctx.set(dut.control.cycles, 0x89ABCDEF)
        assert await bus.read(Register.FAULT_INDEX) == 5
        assert await bus.read(Register.CYCLES) == 0x89ABCDEF

    simulate(dut, bench)


def test_counters_count_their_events_and_clear_with_a_start() -> None:
    dut: Any = HostRegisters(CONFIG)
    events = {
        Register.BUSY: dut.events.step,
        Register.STALL_DRAIN: dut.events.stall_drain,
        Register.STALL_WALK: dut.events.stall_walk,
    }
    counts = {Register.BUSY: 5, Register.STALL_DRAIN: 3, Register.STALL_WALK: 2}

    async def bench(ctx: Any) -> None:
        bus = Bus(ctx, dut)
        for cycle in range(6):
            for register, event in events.items():
                ctx.set(event, int(cycle < counts[register]))
            await ctx.tick()
        assert {register: await bus.read(register) for register in counts} == counts
        await bus.write(Register.CONTROL, Control.START)
        assert {register: await bus.read(register) for register in counts} == counts, "no run began"
        ctx.set(dut.control.started, 1)
        await bus.write(Register.CONTROL, Control.START)
        assert {register: await bus.read(register) for register in counts} == dict.fromkeys(counts, 0)

    simulate(dut, bench)


def test_the_window_stays_while_a_run_lasts() -> None:
    dut: Any = HostRegisters(dataclasses.replace(CONFIG, backing="axi4"))

    async def bench(ctx: Any) -> None:
        bus = Bus(ctx, dut)
        for register, value in ((Register.WINDOW_BASE, "base"), (Register.WINDOW_LIMIT, "limit")):
            await bus.write(register, 0x5FFF)
            ctx.set(dut.control.busy, 1)
            await bus.write(register, 0x9000)
            assert ctx.get(getattr(dut.window, value)) == await bus.read(register) == 0x5000
            assert await bus.read(Register.STATUS) == Status.BUSY | Status.REFUSED
            ctx.set(dut.control.busy, 0)
            await bus.write(Register.CONTROL, Control.CLEAR)
            assert await bus.read(Register.STATUS) == 0
            await bus.write(register, 0x9000)
            assert await bus.read(register) == 0x9000

    simulate(dut, bench)


@pytest.mark.parametrize("instructions", [64, 48])
def test_entry_is_an_instruction_and_stays_while_a_run_lasts(instructions: int) -> None:
    dut: Any = HostRegisters(dataclasses.replace(CONFIG, entry=1, instructions=instructions))

    async def bench(ctx: Any) -> None:
        bus = Bus(ctx, dut)
        assert await bus.read(Register.ENTRY) == ctx.get(dut.control.entry) == 0
        for kept in (instructions - 1, 5):
            await bus.write(Register.ENTRY, kept)
            assert await bus.read(Register.ENTRY) == ctx.get(dut.control.entry) == kept
            assert await bus.read(Register.STATUS) == 0
            for busy, wrong in ((1, 3), (0, instructions), (0, 64), (0, 1 << 31 | 1)):
                ctx.set(dut.control.busy, busy)
                await bus.write(Register.ENTRY, wrong)
                assert await bus.read(Register.ENTRY) == ctx.get(dut.control.entry) == kept
                assert await bus.read(Register.STATUS) == busy | Status.REFUSED
                ctx.set(dut.control.busy, 0)
                await bus.write(Register.CONTROL, Control.CLEAR)
                assert await bus.read(Register.STATUS) == 0

    simulate(dut, bench)


def test_what_check_bits_found_is_kept_until_the_next_start_or_clear() -> None:
    protected = dataclasses.replace(CONFIG, protection="secded")
    dut: Any = HostRegisters(protected)

    async def bench(ctx: Any) -> None:
        bus = Bus(ctx, dut)
        for pulse in (dut.control.clear, dut.control.started):
            ctx.set(dut.damage.as_value(), 1 << 5 | 1 << (16 + 6))
            await ctx.tick()
            ctx.set(dut.damage.as_value(), 1 << 3)
            await ctx.tick()
            ctx.set(dut.damage.as_value(), 0)
            assert await bus.read(Register.DAMAGE) == 1 << 5 | 1 << 3 | 1 << (16 + 6)
            if pulse is dut.control.clear:
                await bus.write(Register.CONTROL, Control.CLEAR)
            else:
                ctx.set(pulse, 1)
                await ctx.tick()
                ctx.set(pulse, 0)
            assert await bus.read(Register.DAMAGE) == 0

    simulate(dut, bench)
