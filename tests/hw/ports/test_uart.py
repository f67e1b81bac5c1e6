"""UartTransmitter and UartReceiver: bytes cross without a pause, short pulses are no start, broken ones are told."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth_bench import simulate
from narrows.hw.ports.uart import UartReceiver, UartTransmitter

BITS = 10


class Loop(wiring.Component):
    """A transmitter on a receiver, with what a test holds against the line."""

    def __init__(self, divisor: int) -> None:
        self.transmitter, self.receiver = UartTransmitter(divisor=divisor), UartReceiver(divisor=divisor)
        super().__init__({"pull": In(1), "line": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.transmitter, m.submodules.receiver = self.transmitter, self.receiver
        m.d.comb += [self.line.eq(self.transmitter.tx & ~self.pull), self.receiver.rx.eq(self.line)]
        return m


@pytest.mark.parametrize("divisor", [4, 7, 16])
def test_bytes_cross_without_a_pause(divisor: int) -> None:
    loop: Any = Loop(divisor)
    data = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, 0xA5]

    async def bench(ctx: Any) -> None:
        received, sent, cycles = [], 0, 0
        while len(received) < len(data):
            ctx.set(loop.transmitter.valid, sent < len(data))
            ctx.set(loop.transmitter.data, data[min(sent, len(data) - 1)])
            sent += ctx.get(loop.transmitter.ready) and sent < len(data)
            await ctx.tick()
            cycles += 1
            assert not ctx.get(loop.receiver.broken)
            if ctx.get(loop.receiver.valid):
                received.append(ctx.get(loop.receiver.data))
            assert cycles <= (BITS * len(data) + 2) * divisor
        assert received == data

    simulate(loop, bench)


def test_a_pulse_shorter_than_half_a_bit_is_no_start() -> None:
    loop: Any = Loop(16)

    async def bench(ctx: Any) -> None:
        ctx.set(loop.pull, 1)
        await ctx.tick().repeat(6)
        ctx.set(loop.pull, 0)
        for _ in range(12 * 16):
            await ctx.tick()
            assert not ctx.get(loop.receiver.valid) and not ctx.get(loop.receiver.broken)
        assert not ctx.get(loop.receiver.active)

    simulate(loop, bench)


def test_a_line_held_low_is_one_broken_byte() -> None:
    loop: Any = Loop(8)

    async def bench(ctx: Any) -> None:
        ctx.set(loop.pull, 1)
        broken = 0
        for _ in range(50 * 8):
            await ctx.tick()
            broken += ctx.get(loop.receiver.broken)
            assert not ctx.get(loop.receiver.valid)
        assert broken == 1

    simulate(loop, bench)
