"""Core: what stops a run, what the host may do when, and that a fault never sticks beyond its clearing."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from amaranth.lib.memory import Memory
from amaranth_bench import AxiHost, simulate
from narrows.hw.core import Core
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.cycles import ComputeTiming, RunClock
from narrows.hw.spec.formats import DyBit
from narrows.hw.spec.isa import BLOCK, COMPUTE, INSTRUCTION_WORDS, TAP, Mode, Opcode, encode_param
from narrows.hw.spec.pipeline import HOST_READ_CYCLES
from narrows.hw.spec.registers import Control, Fault, Interrupt, Region, Register, Status, region_address

CONFIG = AcceleratorConfig(
    rows=2,
    columns=1,
    lanes=2,
    rescalers=1,
    acc_bits=12,
    planes=1,
    act_words=64,
    weight_words=16,
    param_words=4,
    taps=16,
    blocks=8,
    instructions=4,
)
GOOD = {
    "opcode": Opcode.COMPUTE,
    "rows": 1,
    "planes": 1,
    "out_height": 1,
    "out_width": 1,
    "block_count": 1,
    "uneven": 1,
    "rounding": 3,
    "column_groups": 1,
    "channel_period": 1,
    "cert_bits": 12,
    "out_base": 32,
    "clamp_low": -16,
    "clamp_high": 16,
}
OKAY, SLVERR = 0, 2
FORMS = {"fetches ahead": CONFIG, "fetches late": dataclasses.replace(CONFIG, prefetch=0)}


@pytest.fixture(autouse=True, params=FORMS)
def _form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "CONFIG", FORMS[request.param])


class Host(AxiHost):
    """A host that knows the register map."""

    async def put(self, region: Region, word: int, values: list[int]) -> None:
        for beat, value in enumerate(values):
            assert await self.write(region_address(CONFIG, region, word, beat), value) == OKAY

    async def instruct(self, *instructions: Mapping[str, int]) -> None:
        """Instructions, each as fields, and END behind them."""
        for index, fields in enumerate([*instructions, {"opcode": Opcode.END}]):
            for number, word in enumerate(COMPUTE.encode(fields)):
                await self.put(Region.INSTRUCTIONS, index * INSTRUCTION_WORDS + number, [word])

    async def register(self, register: Register) -> int:
        value, response = await self.read(register.offset)
        assert response == OKAY
        return value

    async def prepare(self) -> None:
        """A program of one dot product: levels 2 and 3 times 4 and -1, halved: 2.5, rounded up to 3."""
        await self.write(Register.PROGRAM_CONFIG.offset, CONFIG.hash32)
        await self.instruct(GOOD)
        await self.put(Region.BLOCKS, 0, BLOCK.encode({"groups": 1, "tap_count": 1}))
        await self.put(Region.TAPS, 0, TAP.encode({}))
        await self.put(Region.WEIGHTS, 0, [0x94])
        await self.put(Region.ACTIVATIONS, 0, [0x32])
        entry = encode_param(0, 8, 4, bias_width=CONFIG.bias_width, rescale_bits=4, shift_bits=CONFIG.shift_bits)
        await self.put(Region.PARAMS, 0, [entry])

    async def rest(self) -> int:
        """STATUS when the core is busy no more."""
        for _ in range(60):
            status = await self.register(Register.STATUS)
            if not status & Status.BUSY:
                return status
        raise TimeoutError("the core stays busy")

    async def run(self) -> tuple[int, Fault, int]:
        """Status flags, fault and fault index at the end of a run."""
        await self.write(Register.CONTROL.offset, Control.START)
        status = await self.rest()
        return status & 0xFF, Fault(status >> 8), await self.register(Register.FAULT_INDEX)


def with_host(body: Callable[[Any, Host], Awaitable[None]]) -> None:
    """Run ``body(ctx, host)`` against a fresh core with the program of `Host.prepare`."""
    core: Any = Core(CONFIG)

    async def bench(ctx: Any) -> None:
        host = Host(ctx, core)
        await host.prepare()
        await body(ctx, host)

    simulate(core, bench)


def test_a_program_runs_again_and_again_and_counts_its_cycles() -> None:
    async def body(ctx: Any, host: Host) -> None:
        clock = RunClock(CONFIG)
        timing = ComputeTiming(CONFIG, COMPUTE.decode(COMPUTE.encode(GOOD)), [1])
        expected = (clock.compute(timing) + clock.end()).cycles
        for word, result in ((0x32, 3), (0x23, 5), (0x0B, 13)):
            await host.put(Region.ACTIVATIONS, 0, [word])
            assert await host.run() == (Status.DONE, Fault.NONE, 0)
            assert await host.read(region_address(CONFIG, Region.ACTIVATIONS, 32)) == (result, OKAY)
            assert (await host.read(region_address(CONFIG, Region.CHECKSUMS)))[0] == result << 16 | result
            assert await host.register(Register.CYCLES) == expected
            assert await host.register(Register.BUSY) == 1

    with_host(body)


def test_a_block_reads_its_groups_and_taps() -> None:
    groups, taps, read = 3, 2, [1, 2, 4, 1, 4, 2]  # codes; so small they are levels

    async def body(ctx: Any, host: Host) -> None:
        clock, steps = RunClock(CONFIG), groups * taps
        timing = ComputeTiming(CONFIG, COMPUTE.decode(COMPUTE.encode(GOOD)), [steps])
        cycles = (clock.compute(timing) + clock.end()).cycles
        await host.put(Region.BLOCKS, 0, BLOCK.encode({"groups": groups, "tap_count": taps, "group_pitch": 4}))
        for tap in range(taps):
            await host.put(Region.TAPS, tap, TAP.encode({"offset": tap}))
        for step in range(steps):  # weight 1 for the first lane
            await host.put(Region.WEIGHTS, step, [0x01])
            await host.put(Region.ACTIVATIONS, step // taps * 4 + step % taps, [read[step]])
        await host.put(
            Region.PARAMS,
            0,
            [encode_param(0, 8, 3, bias_width=CONFIG.bias_width, rescale_bits=4, shift_bits=CONFIG.shift_bits)],
        )
        assert await host.run() == (Status.DONE, Fault.NONE, 0)
        assert await host.register(Register.BUSY) == steps
        assert await host.register(Register.CYCLES) == cycles
        level = DyBit(4).quantise(sum(read))
        assert await host.read(region_address(CONFIG, Region.ACTIVATIONS, 32)) == (DyBit(4).encode(level), OKAY)

    with_host(body)


ILLEGAL = {
    "load": {"opcode": Opcode.LOAD},
    "store": {"opcode": Opcode.STORE},
    "opcode 7": {"opcode": 7},
    "token": {"wait_prev": 1},
    "token behind": {"post_next": 1},
    "no rows": {"rows": 0},
    "too many rows": {"rows": 3},
    "rows of a max-pool": {"mode": Mode.MAX, "rows": 2},
    "no planes": {"planes": 0},
    "too many planes": {"planes": 2},
    "no width": {"rounding": 0},
    "too wide": {"rounding": 4},
    "no lines": {"out_height": 0},
    "no pixels": {"out_width": 0},
    "no blocks": {"block_count": 0},
    "no tiles": {"column_groups": 0},
    "no period": {"channel_period": 0},
    "clamps the wrong way round": {"clamp_low": 5, "clamp_high": 4},
    "low clamp beyond the levels": {"clamp_low": -33},
    "high clamp beyond the levels": {"clamp_high": 32},
    "zero below the levels": {"zero": -33},
    "zero above the levels": {"zero": 32},
}


def test_what_cannot_be_executed_stops_the_core_and_names_itself() -> None:
    async def body(ctx: Any, host: Host) -> None:
        for name, change in ILLEGAL.items():
            await host.instruct(GOOD, GOOD | change)
            assert await host.run() == (Status.FAULT, Fault.ILLEGAL_INSTRUCTION, 1), name
            await host.write(Register.CONTROL.offset, Control.CLEAR)
        clamps = {"clamp_low": -32, "clamp_high": 31, "zero": -32}
        maximum = {"mode": Mode.MAX, "rounding": 0, "clamp_low": 5, "clamp_high": 4, "zero": 99}
        await host.instruct(GOOD | clamps, GOOD | {"uneven": 0, "rounding": 0}, GOOD | maximum)
        assert await host.run() == (Status.DONE, Fault.NONE, 0)

    with_host(body)


def test_a_core_without_a_max_pool_unit_refuses_max_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "CONFIG", dataclasses.replace(CONFIG, max_pool=0))

    async def body(ctx: Any, host: Host) -> None:
        await host.instruct(GOOD, GOOD | {"mode": Mode.MAX, "rounding": 0})
        assert await host.run() == (Status.FAULT, Fault.ILLEGAL_INSTRUCTION, 1)

    with_host(body)


def test_blocks_without_steps_and_an_end_with_tokens_are_refused() -> None:
    async def body(ctx: Any, host: Host) -> None:
        for change in ({"groups": 0}, {"tap_count": 0}):
            await host.put(Region.BLOCKS, 0, BLOCK.encode({"groups": 1, "tap_count": 1} | change))
            assert await host.run() == (Status.FAULT, Fault.ILLEGAL_INSTRUCTION, 0)
            await host.write(Register.CONTROL.offset, Control.CLEAR)
        await host.instruct({"opcode": Opcode.END, "post_prev": 1})
        assert await host.run() == (Status.FAULT, Fault.ILLEGAL_INSTRUCTION, 0)

    with_host(body)


def test_a_certificate_beyond_the_accumulators_is_refused() -> None:
    async def body(ctx: Any, host: Host) -> None:
        for mode in Mode:
            await host.instruct(GOOD | {"mode": mode, "cert_bits": 13})
            assert await host.run() == (Status.FAULT, Fault.CERTIFICATE, 0)
            await host.write(Register.CONTROL.offset, Control.CLEAR)
            await host.instruct(GOOD | {"mode": mode, "cert_bits": 12})
            assert (await host.run())[1] is Fault.NONE
            await host.write(Register.CONTROL.offset, Control.CLEAR)

    with_host(body)


def test_faults_are_sticky_until_cleared() -> None:
    async def body(ctx: Any, host: Host) -> None:
        await host.write(Register.PROGRAM_CONFIG.offset, CONFIG.hash32 ^ 1)
        assert await host.run() == (Status.FAULT, Fault.CONFIG_MISMATCH, 0)
        await host.write(Register.PROGRAM_CONFIG.offset, CONFIG.hash32)
        assert await host.run() == (Status.FAULT | Status.REFUSED, Fault.CONFIG_MISMATCH, 0)
        await host.write(Register.CONTROL.offset, Control.CLEAR)
        assert await host.register(Register.STATUS) == 0
        assert await host.run() == (Status.DONE, Fault.NONE, 0)

    with_host(body)


def test_the_watchdog_stops_a_run_that_takes_longer() -> None:
    async def body(ctx: Any, host: Host) -> None:
        assert await host.run() == (Status.DONE, Fault.NONE, 0)
        cycles = await host.register(Register.CYCLES)
        await host.instruct(GOOD | {"out_height": 60})
        await host.write(Register.WATCHDOG.offset, cycles)
        assert await host.run() == (Status.FAULT, Fault.WATCHDOG, 0)
        assert await host.register(Register.CYCLES) == cycles + 1
        await host.write(Register.CONTROL.offset, Control.CLEAR)
        await host.instruct(GOOD)
        await host.write(Register.WATCHDOG.offset, cycles - 1)
        assert await host.run() == (Status.FAULT, Fault.WATCHDOG, 1)
        await host.write(Register.CONTROL.offset, Control.CLEAR)
        await host.write(Register.WATCHDOG.offset, cycles)
        assert await host.run() == (Status.DONE, Fault.NONE, 0)
        assert (await host.read(region_address(CONFIG, Region.ACTIVATIONS, 32)))[0] == 3

    with_host(body)


def test_a_memory_written_during_a_run_is_refused_and_stops_it() -> None:
    async def body(ctx: Any, host: Host) -> None:
        address = region_address(CONFIG, Region.ACTIVATIONS, 5)
        await host.put(Region.ACTIVATIONS, 5, [0x77])
        for delay in range(32):  # whatever the core is doing
            await host.instruct(GOOD)
            await host.post(Register.CONTROL.offset, Control.START)
            for _ in range(delay):
                await ctx.tick()
            assert await host.write(address, 0x11) == SLVERR, f"{delay} cycles behind the start"
            status = await host.rest()
            expected = (Status.FAULT | Status.REFUSED, Fault.HOST_ACCESS)
            assert (status & 0xFF, status >> 8) == expected, f"{delay} cycles behind the start"
            await host.write(Register.CONTROL.offset, Control.CLEAR)
            assert await host.read(address) == (0x77, OKAY)
        assert await host.run() == (Status.DONE, Fault.NONE, 0)
        assert (await host.read(region_address(CONFIG, Region.ACTIVATIONS, 32)))[0] == 3

    with_host(body)


def test_a_memory_read_during_a_run_is_refused_and_the_run_goes_on() -> None:
    async def body(ctx: Any, host: Host) -> None:
        address = region_address(CONFIG, Region.ACTIVATIONS, 5)
        await host.put(Region.ACTIVATIONS, 5, [0x77])
        assert await host.run() == (Status.DONE, Fault.NONE, 0)
        cycles = await host.register(Register.CYCLES)
        for delay in range(24):  # whatever the core is doing
            await host.put(Region.ACTIVATIONS, 32, [0])
            await host.post(Register.CONTROL.offset, Control.START)
            for _ in range(delay):
                await ctx.tick()
            assert await host.read(address) == (0, SLVERR), f"{delay} cycles behind the start"
            assert (await host.register(Register.STATUS)) & ~Status.DONE & ~Status.BUSY == Status.REFUSED
            await ctx.tick().repeat(60)
            assert await host.register(Register.STATUS) == Status.DONE | Status.REFUSED
            assert await host.register(Register.CYCLES) == cycles
            assert await host.read(address) == (0x77, OKAY)
            assert (await host.read(region_address(CONFIG, Region.ACTIVATIONS, 32)))[0] == 3
        assert await host.run() == (Status.DONE, Fault.NONE, 0)

    with_host(body)


def test_a_start_during_a_run_is_refused_and_changes_nothing() -> None:
    async def body(ctx: Any, host: Host) -> None:
        assert await host.run() == (Status.DONE, Fault.NONE, 0)
        cycles = await host.register(Register.CYCLES)
        for delay in range(0, 40, 3):
            await host.post(Register.CONTROL.offset, Control.START)
            for _ in range(delay):
                await ctx.tick()
            assert await host.write(Register.CONTROL.offset, Control.START) == OKAY
            await ctx.tick().repeat(80)
            assert await host.register(Register.STATUS) == Status.DONE | Status.REFUSED, f"{delay} cycles behind"
            assert await host.register(Register.CYCLES) == cycles
            assert await host.register(Register.BUSY) == 1, "counters are those of the run that went on"

    with_host(body)


def test_a_start_in_a_fault_is_refused_unless_it_comes_with_a_clear() -> None:
    async def body(ctx: Any, host: Host) -> None:
        await host.instruct({"opcode": 7})
        assert await host.run() == (Status.FAULT, Fault.ILLEGAL_INSTRUCTION, 0)
        assert await host.run() == (Status.FAULT | Status.REFUSED, Fault.ILLEGAL_INSTRUCTION, 0)
        await host.instruct(GOOD)
        assert await host.write(Register.CONTROL.offset, Control.START | Control.CLEAR) == OKAY
        await ctx.tick().repeat(80)
        assert await host.register(Register.STATUS) == Status.DONE
        assert (await host.read(region_address(CONFIG, Region.ACTIVATIONS, 32)))[0] == 3

    with_host(body)


@pytest.mark.parametrize("control", [Control.CLEAR, Control.CLEAR | Control.START])
def test_a_clear_gives_a_run_up_and_the_next_one_is_right(control: Control) -> None:
    async def body(ctx: Any, host: Host) -> None:
        assert await host.run() == (Status.DONE, Fault.NONE, 0)
        cycles = await host.register(Register.CYCLES)
        for delay in range(1, cycles - 4, 3):
            await host.post(Register.CONTROL.offset, Control.START)
            for _ in range(delay):
                await ctx.tick()
            await host.write(Register.CONTROL.offset, control)
            refused = Status.REFUSED if control & Control.START else 0
            assert await host.rest() == refused, f"{delay} cycles behind the start"
            await host.put(Region.ACTIVATIONS, 32, [0])
            assert await host.run() == (Status.DONE, Fault.NONE, 0)
            assert await host.register(Register.CYCLES) == cycles
            assert (await host.read(region_address(CONFIG, Region.ACTIVATIONS, 32)))[0] == 3

    with_host(body)


def test_interrupts_are_enabled_and_acknowledged_one_by_one() -> None:
    core: Any = Core(CONFIG)

    async def bench(ctx: Any) -> None:
        host = Host(ctx, core)
        await host.prepare()
        enable, status = Register.IRQ_ENABLE.offset, Register.IRQ_STATUS

        async def irq() -> int:
            await ctx.tick().repeat(4)
            return ctx.get(core.irq)

        assert await host.register(Register.IRQ_ENABLE) == Interrupt.DONE | Interrupt.FAULT
        for _ in range(2):
            assert (await host.run())[0] == Status.DONE
            assert (await irq(), await host.register(status)) == (1, Interrupt.DONE)
            await host.write(status.offset, Interrupt.FAULT | Interrupt.REFUSED)
            assert (await irq(), await host.register(status)) == (1, Interrupt.DONE)
            await host.write(status.offset, Interrupt.DONE)
            assert (await irq(), await host.register(status)) == (0, 0)
            assert await host.register(Register.STATUS) == Status.DONE
        await host.write(enable, Interrupt.FAULT)
        assert (await host.run())[0] == Status.DONE
        assert (await irq(), await host.register(status)) == (0, Interrupt.DONE)
        await host.write(Register.PROGRAM_CONFIG.offset, 0)
        assert (await host.run())[1] == Fault.CONFIG_MISMATCH
        assert (await irq(), await host.register(status)) == (1, Interrupt.FAULT)
        await host.write(status.offset, Interrupt.FAULT)
        assert await irq() == 0
        await host.write(enable, Interrupt.REFUSED)
        await host.write(Register.CONTROL.offset, Control.START)
        assert (await irq(), await host.register(status)) == (1, Interrupt.REFUSED)
        await host.write(Register.CONTROL.offset, Control.CLEAR)
        assert (await irq(), await host.register(status)) == (0, 0)

    simulate(core, bench)


def test_a_write_behind_a_memorys_end_goes_nowhere() -> None:
    async def body(ctx: Any, host: Host) -> None:
        for word in range(CONFIG.act_words):
            await host.put(Region.ACTIVATIONS, word, [0x44])
        await host.put(Region.ACTIVATIONS, CONFIG.act_words, [0x11])
        assert await host.read(region_address(CONFIG, Region.ACTIVATIONS)) == (0x44, OKAY)

    with_host(body)


def test_an_access_at_the_end_of_a_run_is_served_or_stops_it() -> None:
    async def body(ctx: Any, host: Host) -> None:
        address = region_address(CONFIG, Region.ACTIVATIONS, 5)
        assert await host.run() == (Status.DONE, Fault.NONE, 0)
        cycles = await host.register(Register.CYCLES)
        found = set()
        for delay in range(cycles - 16, cycles + 4):
            await host.instruct(GOOD)
            await host.post(Register.CONTROL.offset, Control.START)
            for _ in range(delay):
                await ctx.tick()
            response = await host.write(address, 0x11)
            status = await host.rest()
            served = (OKAY, Status.DONE, Fault.NONE)
            refused = (SLVERR, Status.FAULT | Status.REFUSED, Fault.HOST_ACCESS)
            assert (response, status & 0xFF, status >> 8) in (served, refused), f"{delay} cycles behind the start"
            found.add(response)
            await host.write(Register.CONTROL.offset, Control.CLEAR)
        assert found == {OKAY, SLVERR}

    with_host(body)


def test_a_start_waits_for_a_read_that_is_under_way() -> None:
    async def body(ctx: Any, host: Host) -> None:
        address = region_address(CONFIG, Region.ACTIVATIONS, 5)
        await host.put(Region.ACTIVATIONS, 5, [0x77])
        for delay in range(HOST_READ_CYCLES + 2):
            await host.request(address)
            for _ in range(delay):
                await ctx.tick()
            await host.post(Register.CONTROL.offset, Control.START)
            assert await host.answer() == (0x77, OKAY)
            for _ in range(80):
                await ctx.tick()
            assert await host.register(Register.STATUS) == Status.DONE

    with_host(body)


def test_registers_can_be_read_during_a_run() -> None:
    async def body(ctx: Any, host: Host) -> None:
        await host.post(Register.CONTROL.offset, Control.START)
        assert await host.register(Register.CONFIG) == CONFIG.hash32
        assert await host.register(Register.STATUS) == Status.BUSY
        for _ in range(60):
            await ctx.tick()
        assert await host.register(Register.STATUS) == Status.DONE

    with_host(body)


def test_a_word_that_the_host_writes_is_not_judged_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "CONFIG", dataclasses.replace(CONFIG, protection="parity"))
    memories: list[Memory] = []

    class Kept(Memory):
        """A memory whose words the test can reach."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            memories.append(self)

    monkeypatch.setattr("amaranth.lib.memory.Memory", Kept)
    word = 5
    address, (place, bank) = region_address(CONFIG, Region.ACTIVATIONS, word), divmod(word, CONFIG.banks)

    async def body(ctx: Any, host: Host) -> None:
        banks = [memory for memory in memories if memory.depth == CONFIG.act_words // CONFIG.banks]
        assert len(banks) == CONFIG.banks

        async def flip() -> None:
            ctx.set(banks[bank].data[place], ctx.get(banks[bank].data[place]) ^ 1)
            await ctx.tick().repeat(2)

        assert await host.read(region_address(CONFIG, Region.ACTIVATIONS, word + 1)) == (0, OKAY)
        await flip()
        await host.put(Region.ACTIVATIONS, word, [0x32])
        assert await host.read(address) == (0x32, OKAY)
        assert await host.register(Register.DAMAGE) == 0
        await flip()
        assert await host.read(address) == (0x33, OKAY)
        assert await host.register(Register.DAMAGE) == 1 << Region.ACTIVATIONS

    with_host(body)
