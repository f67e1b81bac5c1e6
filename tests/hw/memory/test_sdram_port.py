"""SdramPort: the chip is initialised first, and then a burst of the core's is twice as long before the controller."""

from __future__ import annotations

from typing import Any

from amaranth_bench import simulate
from narrows.hw.memory.sdram_port import SdramPort
from narrows.hw.memory.sdram_start import ControlWrite

WRITES = [ControlWrite(adr=3, data=0x55, wait=4), ControlWrite(adr=9, data=0xAA, wait=2)]


def test_it_says_when_the_chip_is_initialised() -> None:
    dut: Any = SdramPort(bus_bits=32, chip_bits=16, writes=WRITES)
    found = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.control.ack, 1)
        for _ in range(40):
            if ctx.get(dut.control.stb):
                assert not ctx.get(dut.ready)
                found.append((ctx.get(dut.control.adr), ctx.get(dut.control.dat_w)))
            await ctx.tick()
        assert ctx.get(dut.ready) == 1

    simulate(dut, bench)
    assert found == [(write.adr, write.data) for write in WRITES]


def test_a_burst_of_wide_beats_reaches_the_controller_as_one_of_narrow_beats() -> None:
    dut: Any = SdramPort(bus_bits=32, chip_bits=16, writes=WRITES)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.bus.araddr, 0x1230)
        ctx.set(dut.bus.arlen, 1)
        ctx.set(dut.bus.arvalid, 1)
        ctx.set(dut.bus.rready, 1)
        await ctx.tick().until(dut.bus.arready)
        ctx.set(dut.bus.arvalid, 0)
        ctx.set(dut.port.arready, 1)
        address, length, size = (
            await ctx.tick().sample(dut.port.araddr, dut.port.arlen, dut.port.arsize).until(dut.port.arvalid)
        )
        assert (address, length, size) == (0x1230, 3, 1)
        found = []
        for part in range(4):
            ctx.set(dut.port.rdata, 0x1000 + part)
            ctx.set(dut.port.rlast, part == 3)
            ctx.set(dut.port.rvalid, 1)
            while True:
                _, _, taken, there, word, last = await ctx.tick().sample(
                    dut.port.rready, dut.bus.rvalid & dut.bus.rready, dut.bus.rdata, dut.bus.rlast
                )
                if there:
                    found.append((word, last))
                if taken:
                    break
        ctx.set(dut.port.rvalid, 0)
        for _ in range(3):
            _, _, there, word, last = await ctx.tick().sample(
                dut.bus.rvalid & dut.bus.rready, dut.bus.rdata, dut.bus.rlast
            )
            if there:
                found.append((word, last))
        assert found == [(0x10011000, 0), (0x10031002, 1)]

    simulate(dut, bench)
