"""link_access: from the serial link to the bus inside the core."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from .serial_link import SerialLink
from .wishbone import WishbonePort

__all__ = ["link_access"]


def link_access(m: Module, link: SerialLink, bus: Any) -> None:
    """Let a link reach the `HOST_BUS` of its port, through a Wishbone slave: it keeps the rules that every port
    keeps."""
    m.submodules.slave = slave = WishbonePort()
    pins = slave.pins
    strobe = Signal()  # a cycle late, as what ends it: bytes take long
    m.d.sync += [
        strobe.eq(link.stb & ~link.ack & ~link.err & ~pins.ack & ~pins.err),
        link.ack.eq(pins.ack),
        link.err.eq(pins.err),
    ]
    m.d.comb += [
        pins.cyc.eq(strobe),
        pins.stb.eq(strobe),
        pins.we.eq(link.we),
        pins.adr.eq(link.adr),
        pins.sel.eq(0b1111),
        pins.dat_w.eq(link.dat_w),
        link.dat_r.eq(pins.dat_r),
    ]
    wiring.connect(m, wiring.flipped(bus), slave.bus)
