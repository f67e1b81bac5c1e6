"""A host port with a plain memory behind it, for benches of Amaranth's simulator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

__all__ = ["Words", "run_with_port"]

Words = dict[tuple[int, int], int]
"""Content of the memory, by region and offset."""


def run_with_port(
    port: Any, body: Callable[[Any, Words], Awaitable[None]], *, clocks: Mapping[str, float] = {"sync": 1e-6}
) -> None:
    """Run ``body(ctx, words)``; behind the port are ``words``, read two cycles after their address. ``clocks`` are the
    periods of its domains in seconds."""
    words: Words = {}
    top = Module()
    for domain in clocks:
        top.domains += ClockDomain(domain)
    top.submodules.port = port

    async def bench(ctx: Any) -> None:
        await body(ctx, words)

    async def behind(ctx: Any) -> None:
        late = [0, 0]
        async for *_, write, region, offset, value in ctx.tick().sample(
            port.bus.write, port.bus.write_region, port.bus.write_offset, port.bus.write_data
        ):
            if write:
                words[int(region), offset] = value
            late.append(words.get((int(ctx.get(port.bus.read_region)), ctx.get(port.bus.read_offset)), 0))
            ctx.set(port.bus.read_data, late.pop(0))

    simulator = Simulator(top)
    for domain, period in clocks.items():
        simulator.add_clock(period, domain=domain)
    simulator.add_testbench(bench)
    simulator.add_testbench(behind, background=True)
    simulator.run()
