"""AxiLitePort: AXI4-Lite slave in front of the registers and memory windows."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..spec.pipeline import HOST_READ_CYCLES
from ..spec.registers import ADDRESS_BITS, REGION_BITS, Region
from .host_bus import HOST_BUS

__all__ = ["AXI_LITE_PORTS", "AxiLitePort"]

AXI_LITE_PORTS = {
    "awaddr": In(ADDRESS_BITS),
    "awvalid": In(1),
    "awready": Out(1),
    "wdata": In(32),
    "wstrb": In(4),
    "wvalid": In(1),
    "wready": Out(1),
    "bresp": Out(2),
    "bvalid": Out(1),
    "bready": In(1),
    "araddr": In(ADDRESS_BITS),
    "arvalid": In(1),
    "arready": Out(1),
    "rdata": Out(32),
    "rresp": Out(2),
    "rvalid": Out(1),
    "rready": In(1),
}
"""Members of the slave's interface, as AMBA AXI names them."""

_OKAY, _SLVERR = 0b00, 0b10


class AxiLitePort(wiring.Component):
    """One write and one read at a time; 32-bit beats only.

    Answered with SLVERR and not carried out: writes that do
    not strobe all four bytes, addresses that are not aligned, accesses to a memory while ``busy`` (``conflict`` is then
    high for a cycle), and reads of a memory that ``busy`` overtakes.
    """

    def __init__(self) -> None:
        super().__init__({**AXI_LITE_PORTS, **HOST_BUS})

    def elaborate(self, platform: object) -> Module:
        """Two independent handshakes."""
        m = Module()

        aligned = ~self.awaddr[:2].any() & self.wstrb.all()
        write_conflict = self.busy & (self.awaddr[REGION_BITS:] != Region.REGISTERS)
        accept = Signal()
        m.d.comb += [
            accept.eq(self.awvalid & self.wvalid & (~self.bvalid | self.bready)),
            self.awready.eq(accept),
            self.wready.eq(accept),
        ]
        m.d.sync += self.write.eq(accept & aligned & ~write_conflict)
        with m.If(self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(accept):
            m.d.sync += [
                self.bvalid.eq(1),
                self.bresp.eq(_OKAY),
                self.write_region.eq(self.awaddr[REGION_BITS:]),
                self.write_offset.eq(self.awaddr[2:REGION_BITS]),
                self.write_data.eq(self.wdata),
            ]
            with m.If(~aligned | write_conflict):
                m.d.sync += self.bresp.eq(_SLVERR)

        wait = Signal(range(HOST_READ_CYCLES + 1))
        read_failed = Signal()
        read_conflict = self.busy & (self.araddr[REGION_BITS:] != Region.REGISTERS)
        reading = Signal()
        # a run that starts while a read is on its way takes the memory's port away from it
        overtaken = self.busy & (self.read_region != Region.REGISTERS)
        m.d.comb += self.arready.eq(~reading & ~self.rvalid)
        with m.If(self.arvalid & self.arready):
            m.d.sync += [
                reading.eq(1),
                wait.eq(HOST_READ_CYCLES),
                self.read_region.eq(self.araddr[REGION_BITS:]),
                self.read_offset.eq(self.araddr[2:REGION_BITS]),
                read_failed.eq(read_conflict | self.araddr[:2].any()),
            ]
        with m.If(reading):
            m.d.sync += wait.eq(wait - 1)
            with m.If(overtaken):
                m.d.sync += read_failed.eq(1)
            with m.If(wait == 0):
                m.d.sync += [
                    reading.eq(0),
                    self.rvalid.eq(1),
                    self.rdata.eq(self.read_data),
                    self.rresp.eq(_OKAY),
                ]
                with m.If(read_failed | overtaken):
                    m.d.sync += [self.rdata.eq(0), self.rresp.eq(_SLVERR)]
        with m.If(self.rvalid & self.rready):
            m.d.sync += self.rvalid.eq(0)

        m.d.comb += self.conflict.eq((accept & write_conflict) | (self.arvalid & self.arready & read_conflict))
        return m
