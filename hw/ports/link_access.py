"""link_access: from the serial link to the bus inside the core."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring

from ..spec.registers import REGION_BITS, STORE_REGION
from .serial_link import SerialLink
from .wishbone import WishbonePort

__all__ = ["link_access"]


def link_access(m: Module, link: SerialLink, bus: Any, store: Any = None) -> Value:
    """Let a link reach the `HOST_BUS` of its port, through a Wishbone slave: it keeps the rules that every port
    keeps. Where there is a ``store`` (`STORE_ACCESS`) its window goes there.

    Gives what is high in every cycle behind which ``bus`` may change or ``store`` may ask or cease to; before either
    begins it has been high for `serial_link.LEAD_CYCLES` at least.
    """
    m.submodules.slave = slave = WishbonePort()
    pins = slave.pins
    strobe = Signal()  # a cycle late, as what ends it: bytes take long
    ack, err, word, elsewhere = pins.ack, pins.err, pins.dat_r, Signal()
    if store is not None:
        ack, err, word = ack | store.ack, err | store.err, Mux(elsewhere, store.dat_r, word)
        m.d.comb += [
            elsewhere.eq(link.adr[REGION_BITS - 2 :] == STORE_REGION),
            store.we.eq(link.we),
            store.offset.eq(link.adr),
            store.dat_w.eq(link.dat_w),
        ]
        m.d.sync += store.stb.eq(link.stb & elsewhere & ~link.ack & ~link.err & ~ack & ~err)
    m.d.sync += [
        strobe.eq(link.stb & ~elsewhere & ~link.ack & ~link.err & ~ack & ~err),
        link.ack.eq(ack),
        link.err.eq(err),
    ]
    m.d.comb += [
        pins.cyc.eq(strobe),
        pins.stb.eq(strobe),
        pins.we.eq(link.we),
        pins.adr.eq(link.adr),
        pins.sel.eq(0b1111),
        pins.dat_w.eq(link.dat_w),
        link.dat_r.eq(word),
    ]
    wiring.connect(m, wiring.flipped(bus), slave.bus)
    return link.active | slave.active | (store.stb if store is not None else 0)
