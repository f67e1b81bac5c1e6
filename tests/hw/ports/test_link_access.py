"""link_access: a link's accesses go to the core's bus, or to the backing store where that has a window."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from narrows.hw.cells.interfaces import STORE_ACCESS
from narrows.hw.ports.host_bus import HOST_BUS
from narrows.hw.ports.link_access import link_access
from narrows.hw.spec.registers import REGION_BITS, STORE_REGION, Region
from port_harness import Words, run_with_port


class Bridge(wiring.Component):
    """The module alone; its link's side as plain ports."""

    def __init__(self) -> None:
        link = {"stb": In(1), "we": In(1), "adr": In(REGION_BITS + 2), "dat_w": In(32)}
        answer = {"ack": Out(1), "err": Out(1), "dat_r": Out(32), "active": Out(1)}
        super().__init__(link | answer | {"bus": Out(HOST_BUS), "store": Out(STORE_ACCESS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        link: Any = SimpleNamespace(**{name: getattr(self, name) for name in ("stb", "we", "adr", "dat_w")})
        link.ack, link.err, link.dat_r, link.active = Signal(), Signal(), Signal(32), self.stb
        m.d.comb += [self.ack.eq(link.ack), self.err.eq(link.err), self.dat_r.eq(link.dat_r)]
        m.d.comb += self.active.eq(link_access(m, link, self.bus, self.store))
        return m


def test_each_access_goes_to_its_side_and_is_answered_from_there() -> None:
    bridge: Any = Bridge()

    async def body(ctx: Any, words: Words) -> None:
        rng, kept, bus = random.Random(7), {}, {}
        for number in range(60):
            outside, offset = rng.random() < 0.5, rng.randrange(4)
            region = STORE_REGION if outside else rng.choice([Region.REGISTERS, Region.CHECKSUMS])
            value = rng.getrandbits(32) if rng.random() < 0.5 else None
            fails = outside and rng.random() < 0.2
            ctx.set(bridge.adr, region << (REGION_BITS - 2) | offset)
            ctx.set(bridge.we, value is not None)
            ctx.set(bridge.dat_w, value or 0)
            ctx.set(bridge.stb, 1)
            asked = False
            for _ in range(20):
                assert ctx.get(bridge.active)
                asked = asked or bool(ctx.get(bridge.store.stb))
                if asked and outside:
                    assert ctx.get(bridge.store.offset) == ctx.get(bridge.adr) % (1 << len(bridge.store.offset))
                    assert ctx.get(bridge.store.we) == (value is not None)
                    ctx.set(bridge.store.dat_r, kept.get(offset, 0))
                    ctx.set(bridge.store.err if fails else bridge.store.ack, 1)
                await ctx.tick()
                ctx.set(bridge.store.err, 0)
                ctx.set(bridge.store.ack, 0)
                if ctx.get(bridge.ack) or ctx.get(bridge.err):
                    break
            assert (ctx.get(bridge.ack), ctx.get(bridge.err)) == (int(not fails), int(fails)), f"access {number}"
            assert asked == outside
            side = kept if outside else bus
            key = offset if outside else (region, offset)
            if value is None and not fails:
                assert ctx.get(bridge.dat_r) == side.get(key, 0), f"access {number}"
            elif value is not None and not fails:
                side[key] = value
            ctx.set(bridge.stb, 0)
            await ctx.tick().repeat(3)
            assert not ctx.get(bridge.active)
        assert words == bus

    run_with_port(bridge, body)
