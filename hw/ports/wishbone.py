"""WishbonePort: Wishbone B4 classic slave in front of the registers and memory windows."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..spec.registers import ADDRESS_BITS
from .host_bus import HOST_BUS
from .one_access import one_access

__all__ = ["WISHBONE_PORTS", "WishbonePort"]

WISHBONE_PORTS = {
    "cyc": In(1),
    "stb": In(1),
    "we": In(1),
    "adr": In(ADDRESS_BITS - 2),
    "sel": In(4),
    "dat_w": In(32),
    "dat_r": Out(32),
    "ack": Out(1),
    "err": Out(1),
}
"""Members of the slave's interface, named as in amaranth-soc and LiteX; ``adr`` counts words of 32 bits."""


class WishbonePort(wiring.Component):
    """Standard single cycles of 32 bits, each ended by one cycle of ``ack`` or ``err``: a write after 1 cycle, a read
    after `HOST_READ_CYCLES` + 2.

    A master that knows incrementing bursts (CTI, BTE) sees a slave that ends every beat like a classic one, as B4
    allows. A cycle is ended by ``err`` and not carried out where it writes without all four bytes selected or reaches
    for a memory while ``busy``; so is a read of a memory that ``busy`` overtakes. A read whose ``stb`` or ``cyc`` is
    taken back before its end is dropped without an answer.
    """

    def __init__(self) -> None:
        super().__init__({**WISHBONE_PORTS, **HOST_BUS})

    def elaborate(self, platform: object) -> Module:
        """One access at a time."""
        m = Module()
        selected, begin = Signal(), Signal()
        access = one_access(m, self, begin, malformed=~self.sel.all(), dropped=~selected)
        m.d.comb += [
            selected.eq(self.cyc & self.stb),
            begin.eq(selected & ~self.ack & ~self.err & ~access.reading),
            self.ack.eq(access.done),
            self.err.eq(access.refused),
        ]
        return m
