"""WishbonePort: Wishbone B4 classic slave in front of the registers and memory windows."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .host_bus import HOST_BUS, READ_CYCLES
from .spec.registers import ADDRESS_BITS, REGION_BITS, Region

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
    after `READ_CYCLES` + 2.

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
        selected, reading, failed = Signal(), Signal(), Signal()
        wait = Signal(range(READ_CYCLES + 1))
        region, offset = Signal(Region), Signal(REGION_BITS - 2)
        conflict = self.busy & (self.adr[REGION_BITS - 2 :] != Region.REGISTERS)
        # a run that starts while a read is on its way takes the memory's port away from it
        overtaken = self.busy & (region != Region.REGISTERS)
        begin = Signal()
        m.d.comb += [
            selected.eq(self.cyc & self.stb),
            begin.eq(selected & ~self.ack & ~self.err & ~reading),
            self.conflict.eq(begin & conflict),
            self.write_region.eq(region),
            self.write_offset.eq(offset),
            self.read_region.eq(region),
            self.read_offset.eq(offset),
        ]
        m.d.sync += [self.write.eq(0), self.ack.eq(0), self.err.eq(0)]
        with m.If(begin):
            m.d.sync += [
                region.eq(self.adr[REGION_BITS - 2 :]),
                offset.eq(self.adr),
                self.write_data.eq(self.dat_w),
                wait.eq(READ_CYCLES),
                failed.eq(conflict),
            ]
            with m.If(self.we):
                refused = conflict | ~self.sel.all()
                m.d.sync += [self.write.eq(~refused), self.ack.eq(~refused), self.err.eq(refused)]
            with m.Else():
                m.d.sync += reading.eq(1)
        with m.If(reading):
            m.d.sync += [wait.eq(wait - 1), failed.eq(failed | overtaken)]
            with m.If(~selected):
                m.d.sync += reading.eq(0)
            with m.Elif(wait == 0):
                ends_well = ~failed & ~overtaken
                m.d.sync += [
                    reading.eq(0),
                    self.dat_r.eq(self.read_data),
                    self.ack.eq(ends_well),
                    self.err.eq(~ends_well),
                ]
        return m
