"""Helpers of unit tests on Amaranth's simulator: one clocked run of one component."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from amaranth.hdl import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from numpy.typing import ArrayLike

__all__ = ["AxiHost", "pack", "signed", "simulate", "unpack"]


def simulate(component: wiring.Component, *benches: Callable[[Any], Awaitable[None]]) -> None:
    """Run test benches ``async bench(ctx)`` against a component with a clock, even one that needs none."""
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = component
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


def pack(values: ArrayLike, width: int) -> int:
    """One integer of fields of ``width`` bits, the first in the low bits, from values of any sign."""
    result = 0
    for place, value in enumerate(np.ravel(np.asarray(values)).tolist()):
        result |= (value & ((1 << width) - 1)) << (width * place)
    return result


def unpack(word: int, width: int, count: int) -> list[int]:
    """The unsigned fields of :func:`pack`."""
    return [word >> (width * place) & ((1 << width) - 1) for place in range(count)]


def signed(value: int, width: int) -> int:
    """A field as two's complement."""
    return value - (1 << width) if value >> (width - 1) else value


class AxiHost:
    """Single accesses to a core's AXI4-Lite port; every method returns after the response.

    Parameters
    ----------
    ctx : context of an Amaranth test bench
    core : component with an `AxiLite` slave ``s_axil``
    """

    def __init__(self, ctx: Any, core: Any) -> None:
        self._ctx, self._core = ctx, core
        self._set("bready", 1)

    def _set(self, name: str, value: int) -> None:
        self._ctx.set(getattr(self._core.s_axil, name), value)

    def _get(self, name: str) -> int:
        return self._ctx.get(getattr(self._core.s_axil, name))

    async def _until(self, name: str) -> None:
        for _ in range(50):
            if self._get(name):
                return
            await self._ctx.tick()
        raise TimeoutError(f"{name} stays low")

    async def post(self, address: int, value: int, strobe: int = 0b1111) -> None:
        """Have a write accepted, without waiting for its response."""
        for name, content in (("awaddr", address), ("wdata", value), ("wstrb", strobe), ("awvalid", 1), ("wvalid", 1)):
            self._set(name, content)
        await self._until("awready")
        await self._ctx.tick()
        self._set("awvalid", 0)
        self._set("wvalid", 0)

    async def write(self, address: int, value: int, strobe: int = 0b1111) -> int:
        """Write a word; the response."""
        await self.post(address, value, strobe)
        await self._until("bvalid")
        response = self._get("bresp")
        await self._ctx.tick()
        return response

    async def request(self, address: int) -> None:
        """Have a read accepted, without waiting for its response."""
        self._set("araddr", address)
        self._set("rready", 0)
        self._set("arvalid", 1)
        await self._until("arready")
        await self._ctx.tick()
        self._set("arvalid", 0)

    async def answer(self) -> tuple[int, int]:
        """Word and response of the read that was requested."""
        await self._until("rvalid")
        self._set("rready", 1)
        result = self._get("rdata"), self._get("rresp")
        await self._ctx.tick()
        return result

    async def read(self, address: int) -> tuple[int, int]:
        """Word and response."""
        await self.request(address)
        return await self.answer()
