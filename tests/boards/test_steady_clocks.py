"""SteadyClocks: no edge before the clocks are steady, whole pulses only, and boards whose registers need no reset."""

from __future__ import annotations

import dataclasses
import random
import re
from typing import Any

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Module, Signal
from amaranth.sim import Simulator
from narrows.boards import lock_wait, simulation, steady_clocks
from narrows.boards.catalogue import find_board
from narrows.boards.steady_clocks import SteadyClocks

WAIT = 16
Trace = list[tuple[int, int, tuple[int, ...]]]
PERIODS = (8, 5)  # of the clocks, in units of time; the input's is 20


def gate(kind: str, **ports: Any) -> Module:
    """What a DCCA does: its enable is looked at while the clock is low."""
    assert kind == "DCCA"
    clock, enable, out = (ports[name] for name in ("i_CLKI", "i_CE", "o_CLKO"))
    m, enabled = Module(), Signal()
    m.domains.falling = ClockDomain(clk_edge="neg", reset_less=True, local=True)
    m.d.comb += [ClockSignal("falling").eq(clock), out.eq(clock & enabled)]
    m.d.falling += enabled.eq(enable)
    return m


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Trace:
    """Levels in every unit of time, of lock, ``running`` and the steady clocks, while the lock comes and goes."""
    monkeypatch.setattr(steady_clocks, "Instance", gate)
    monkeypatch.setattr(lock_wait, "WAIT_CYCLES", WAIT)
    dut, trace = SteadyClocks(len(PERIODS)), []

    async def drive(ctx: Any) -> None:
        draw = random.Random(5)
        lock, change = 0, 400
        for now in range(12000):
            ctx.set(dut.input, now % 20 >= 10)
            for index, period in enumerate(PERIODS):
                # an unlocked clock generator's pulses are of any length
                level = now % period >= period // 2 if lock else draw.random() < 0.5
                ctx.set(dut.clocks[index], level)
            if now == change:
                lock, change = 1 - lock, now + (4000 if not lock else 600)
                ctx.set(dut.locked, lock)
            await ctx.delay(1e-9)
            trace.append((lock, ctx.get(dut.running), tuple(ctx.get(dut.steady[i]) for i in range(len(PERIODS)))))

    simulator = Simulator(dut)
    simulator.add_testbench(drive)
    simulator.run()
    return trace


def test_clocks_come_once_they_are_steady_and_stop_with_the_lock(traced: Trace) -> None:
    locked_for, lost_for = 0, 0
    for lock, running, steady in traced:
        locked_for, lost_for = (locked_for + 1, 0) if lock else (0, lost_for + 1)
        if any(steady):
            assert locked_for > WAIT * 20 or 0 < lost_for < 4 * 20, (locked_for, lost_for)
        if locked_for > (WAIT + 4) * 20:
            assert running
    assert any(all(steady) for _, _, steady in traced)


def test_while_locked_every_pulse_is_whole(traced: Trace) -> None:
    for index, period in enumerate(PERIODS):
        levels = "".join(str(steady[index]) if lock else " " for lock, _, steady in traced)
        pulses = [match.end() - match.start() for match in re.finditer("(?<=0)1+(?=0)", levels)]
        assert len(pulses) > 500 and set(pulses) == {period - period // 2}


@pytest.mark.parametrize(("name", "gated"), [("ulx3s", True), ("icebreaker", False)])
def test_only_where_the_clock_stands_still_there_is_no_reset(
    monkeypatch: pytest.MonkeyPatch, name: str, gated: bool
) -> None:
    monkeypatch.setattr(simulation, "to_verilog", lambda config: "")  # the core takes long to write
    top = simulation.board_verilog(find_board(name))
    reset = re.search(r"\.rst\((.*?)\)", top)
    assert reset is not None
    assert (reset[1] == "1'h0") == gated
    assert ("DCCA" in top) == gated


@pytest.mark.parametrize(("name", "gates"), [("ulx3s", 2), ("icebreaker", 0)])
def test_a_gated_core_rests_where_a_clock_can_be_gated(monkeypatch: pytest.MonkeyPatch, name: str, gates: int) -> None:
    monkeypatch.setattr(simulation, "to_verilog", lambda config: "")
    board = find_board(name)
    top = simulation.board_verilog(board.with_config(dataclasses.replace(board.config, gated=1)))
    assert len(re.findall(r"^\s*DCCA ", top, re.MULTILINE)) == gates
    clock, work = (
        re.search(rf"\.{port}\((.*?)\)", top[top.index("narrows_core core") :]) for port in ("clk", "work_clk")
    )
    assert clock is not None and work is not None
    assert (clock[1] != work[1]) or not gates
