"""RunGate: with loader and storer at work a run is not over, and no other one starts."""

from __future__ import annotations

from itertools import product
from typing import Any

from amaranth_bench import simulate
from narrows.hw.control.run_control import RunGate
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Fault


def test_the_host_sees_a_run_until_all_is_at_rest() -> None:
    dut: Any = RunGate(AcceleratorConfig())

    async def bench(ctx: Any) -> None:
        assert ctx.get(dut.idle) == 1  # where there is neither of the two
        registers, sequencer = dut.registers, dut.sequencer
        for idle, start, busy, done, faulted in product((0, 1), repeat=5):
            ctx.set(dut.idle, idle)
            ctx.set(registers.start, start)
            ctx.set(registers.starting, start)
            for name, value in (("busy", busy), ("done", done), ("faulted", faulted)):
                ctx.set(getattr(sequencer, name), value)
            assert ctx.get(sequencer.start) == (start & idle)
            assert ctx.get(registers.busy) == int(busy or not idle)
            assert ctx.get(dut.busy) == int(busy or not idle or (start and not faulted))

    simulate(dut, bench)


def test_everything_else_passes() -> None:
    dut: Any = RunGate(AcceleratorConfig(entry=1))

    async def bench(ctx: Any) -> None:
        for name, value in (
            ("starting", 1),
            ("clear", 1),
            ("config_matches", 1),
            ("watchdog", 0x12345678),
            ("entry", 33),
        ):
            ctx.set(getattr(dut.registers, name), value)
            assert ctx.get(getattr(dut.sequencer, name)) == value
        for name, value in (("done", 1), ("faulted", 1), ("fault", Fault.BUS), ("fault_index", 9), ("cycles", 77)):
            ctx.set(getattr(dut.sequencer, name), value)
            assert ctx.get(getattr(dut.registers, name)) == value

    simulate(dut, bench)


def test_a_frame_is_laid_out_where_nothing_goes_on_and_a_fault_is_cleared() -> None:
    dut: Any = RunGate(AcceleratorConfig(frame_bytes=64))

    async def bench(ctx: Any) -> None:
        registers, sequencer = dut.registers, dut.sequencer
        for feed, idle, busy, feeding, faulted, clear in product((0, 1), repeat=6):
            ctx.set(dut.idle, idle)
            ctx.set(registers.feed, feed)
            ctx.set(registers.clear, clear)
            ctx.set(sequencer.busy, busy)
            ctx.set(sequencer.faulted, faulted)
            ctx.set(dut.feeding.busy, feeding)
            heard = feed and idle and not busy and not feeding and (not faulted or clear)
            assert ctx.get(dut.feeding.go) == heard, (feed, idle, busy, feeding, faulted, clear)
            assert ctx.get(dut.feeding.clear) == (clear and not heard)

    simulate(dut, bench)
