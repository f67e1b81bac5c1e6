"""RegisterSlice: every beat of every channel, in order and once, whatever either side puts off; no path through it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from narrows.hw.memory.register_slice import RegisterSlice

_CHANNELS = {
    "ar": ("araddr", "arlen", "arsize", "arburst", "arcache", "arprot"),
    "aw": ("awaddr", "awlen", "awsize", "awburst", "awcache", "awprot"),
    "w": ("wdata", "wstrb", "wlast"),
    "r": ("rdata", "rresp", "rlast"),
    "b": ("bresp",),
}
_BEATS = 200


def _sides(dut: Any, channel: str) -> tuple[Any, Any]:
    return (dut.slave, dut.master) if channel in "rb" else (dut.master, dut.slave)


@pytest.mark.parametrize("stall", [0.0, 0.2, 0.5, 0.8])
def test_every_beat_passes_once(stall: float) -> None:
    seed = int(10 * stall)
    rng = random.Random(seed)
    dut: Any = RegisterSlice(data_width=16)
    beats = {
        channel: [tuple(rng.getrandbits(len(getattr(dut.master, name))) for name in payload) for _ in range(_BEATS)]
        for channel, payload in _CHANNELS.items()
    }
    passed: dict[str, list[tuple[int, ...]]] = {channel: [] for channel in _CHANNELS}
    cycles: dict[str, int] = {}

    def source(channel: str) -> Any:
        bus, payload = _sides(dut, channel)[0], _CHANNELS[channel]

        async def offer(ctx: Any) -> None:
            for beat in beats[channel]:
                while rng.random() < stall:
                    await ctx.tick()
                for name, value in zip(payload, beat, strict=True):
                    ctx.set(getattr(bus, name), value)
                ctx.set(getattr(bus, f"{channel}valid"), 1)
                await ctx.tick().until(getattr(bus, f"{channel}ready"))
                ctx.set(getattr(bus, f"{channel}valid"), 0)
                for name in payload:
                    ctx.set(getattr(bus, name), rng.getrandbits(len(getattr(bus, name))))

        return offer

    def sink(channel: str) -> Any:
        bus, payload = _sides(dut, channel)[1], _CHANNELS[channel]
        valid, ready = getattr(bus, f"{channel}valid"), getattr(bus, f"{channel}ready")

        async def take(ctx: Any) -> None:
            waiting: tuple[int, ...] | None = None
            cycle = 0
            while len(passed[channel]) < _BEATS:
                ctx.set(ready, rng.random() >= stall)
                _, _, offered, taken, *beat = await ctx.tick().sample(
                    valid, ready, *(getattr(bus, name) for name in payload)
                )
                cycle += 1
                if waiting is not None:
                    assert offered, f"{channel}valid fell before ready"
                    assert tuple(beat) == waiting, f"{channel} changed while it waited"
                waiting = tuple(beat) if offered and not taken else None
                if offered and taken:
                    passed[channel].append(tuple(beat))
            cycles[channel] = cycle

        return take

    _simulator(dut, [make(channel) for channel in _CHANNELS for make in (source, sink)]).run()
    assert passed == beats, seed
    if not stall:
        assert cycles == dict.fromkeys(_CHANNELS, _BEATS + 1)  # a beat a cycle, one cycle behind


def test_no_input_shows_before_the_next_edge() -> None:
    dut: Any = RegisterSlice(data_width=16)

    async def look(ctx: Any) -> None:
        await ctx.tick()
        for channel, payload in _CHANNELS.items():
            source, target = _sides(dut, channel)
            seen = [ctx.get(getattr(target, name)) for name in (*payload, f"{channel}valid")]
            ready = ctx.get(getattr(source, f"{channel}ready"))
            for name in (*payload, f"{channel}valid"):
                ctx.set(getattr(source, name), ~0)
            ctx.set(getattr(target, f"{channel}ready"), 1)
            assert [ctx.get(getattr(target, name)) for name in (*payload, f"{channel}valid")] == seen
            assert ctx.get(getattr(source, f"{channel}ready")) == ready

    _simulator(dut, [look]).run()


def _simulator(dut: Any, benches: list[Any]) -> Simulator:
    module = Module()
    module.domains.sync = ClockDomain()
    module.submodules.dut = dut
    simulator = Simulator(module)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    return simulator
