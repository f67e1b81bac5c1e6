"""AxiLitePort: AXI4-Lite slave in front of the registers and memory windows."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from ..spec.pipeline import HOST_READ_CYCLES
from ..spec.registers import ADDRESS_BITS, REGION_BITS, Region
from .host_bus import HOST_BUS

__all__ = ["AxiLite", "AxiLitePort"]


class AxiLite(Signature):
    """An AXI4-Lite bus of 32 bits as AMBA names its signals but for PROT; a slave has it flipped.

    Parameters
    ----------
    addr_width : int
        Of a byte address.
    """

    def __init__(self, *, addr_width: int = ADDRESS_BITS) -> None:
        super().__init__(
            {
                "awaddr": Out(addr_width),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(32),
                "wstrb": Out(4),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(addr_width),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(32),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


_OKAY, _SLVERR = 0b00, 0b10


class AxiLitePort(wiring.Component):
    """One write and one read at a time; 32-bit beats only.

    Answered with SLVERR and not carried out: writes that do
    not strobe all four bytes, addresses that are not aligned, accesses to a memory while ``busy`` (``conflict`` is then
    high for a cycle), and reads of a memory that ``busy`` overtakes.
    """

    def __init__(self) -> None:
        super().__init__({"pins": In(AxiLite()), "bus": Out(HOST_BUS)})

    def elaborate(self, platform: object) -> Module:
        """Two independent handshakes."""
        m = Module()
        pins, bus = self.pins, self.bus

        aligned = ~pins.awaddr[:2].any() & pins.wstrb.all()
        write_conflict = bus.busy & (pins.awaddr[REGION_BITS:] != Region.REGISTERS)
        accept = Signal()
        m.d.comb += [
            accept.eq(pins.awvalid & pins.wvalid & (~pins.bvalid | pins.bready)),
            pins.awready.eq(accept),
            pins.wready.eq(accept),
        ]
        m.d.sync += bus.write.eq(accept & aligned & ~write_conflict)
        with m.If(pins.bready):
            m.d.sync += pins.bvalid.eq(0)
        with m.If(accept):
            m.d.sync += [
                pins.bvalid.eq(1),
                pins.bresp.eq(_OKAY),
                bus.write_region.eq(pins.awaddr[REGION_BITS:]),
                bus.write_offset.eq(pins.awaddr[2:REGION_BITS]),
                bus.write_data.eq(pins.wdata),
            ]
            with m.If(~aligned | write_conflict):
                m.d.sync += pins.bresp.eq(_SLVERR)

        wait = Signal(range(HOST_READ_CYCLES + 1))
        read_failed = Signal()
        read_conflict = bus.busy & (pins.araddr[REGION_BITS:] != Region.REGISTERS)
        reading = Signal()
        # a run that starts while a read is on its way takes the memory's port away from it
        overtaken = bus.busy & (bus.read_region != Region.REGISTERS)
        m.d.comb += pins.arready.eq(~reading & ~pins.rvalid)
        with m.If(pins.arvalid & pins.arready):
            m.d.sync += [
                reading.eq(1),
                wait.eq(HOST_READ_CYCLES),
                bus.read_region.eq(pins.araddr[REGION_BITS:]),
                bus.read_offset.eq(pins.araddr[2:REGION_BITS]),
                read_failed.eq(read_conflict | pins.araddr[:2].any()),
            ]
        with m.If(reading):
            m.d.sync += wait.eq(wait - 1)
            with m.If(overtaken):
                m.d.sync += read_failed.eq(1)
            with m.If(wait == 0):
                m.d.sync += [
                    reading.eq(0),
                    pins.rvalid.eq(1),
                    pins.rdata.eq(bus.read_data),
                    pins.rresp.eq(_OKAY),
                ]
                with m.If(read_failed | overtaken):
                    m.d.sync += [pins.rdata.eq(0), pins.rresp.eq(_SLVERR)]
        with m.If(pins.rvalid & pins.rready):
            m.d.sync += pins.rvalid.eq(0)

        m.d.comb += bus.conflict.eq((accept & write_conflict) | (pins.arvalid & pins.arready & read_conflict))
        return m
