"""link_access: from the serial link to the bus inside the core."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from .host_bus import HOST_BUS
from .serial_link import SerialLink
from .wishbone import WishbonePort

__all__ = ["link_access"]


def link_access(m: Module, link: SerialLink, port: wiring.Component) -> None:
    """Let a link reach the members of `HOST_BUS` of its port, through a Wishbone slave: it keeps the rules that every
    port keeps."""
    m.submodules.slave = slave = WishbonePort()
    strobe = Signal()  # a cycle late: bytes take long
    m.d.sync += strobe.eq(link.stb & ~slave.ack & ~slave.err)
    m.d.comb += [
        slave.cyc.eq(strobe),
        slave.stb.eq(strobe),
        slave.we.eq(link.we),
        slave.adr.eq(link.adr),
        slave.sel.eq(0b1111),
        slave.dat_w.eq(link.dat_w),
        link.dat_r.eq(slave.dat_r),
        link.ack.eq(slave.ack),
        link.err.eq(slave.err),
    ]
    for name, member in HOST_BUS.items():
        outer, inner = getattr(port, name), getattr(slave, name)
        m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
