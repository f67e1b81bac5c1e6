"""AxiLitePort: AXI4-Lite slave in front of the registers and memory windows."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from ..spec.registers import ADDRESS_BITS
from .host_bus import HOST_BUS
from .one_access import one_access

__all__ = ["AxiLite", "AxiLitePort"]


_OKAY, _SLVERR = 0b00, 0b10


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


class AxiLitePort(wiring.Component):
    """One access at a time, of 32 bits; reads and writes take turns where both wait. All outputs are registers.

    A write is taken when address and data are there, in the cycle after, and answered one cycle later; the next one can
    be taken another cycle later. A read is taken likewise and answered after `HOST_READ_CYCLES` + 2.

    Answered with SLVERR and not carried out: writes that do not strobe all four bytes, addresses that are not aligned,
    accesses to a memory while ``busy``, and reads of a memory that ``busy`` overtakes, which give 0.
    """

    def __init__(self) -> None:
        super().__init__({"pins": In(AxiLite()), "bus": Out(HOST_BUS), "active": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Take an access, carry it out, hold its answer."""
        m = Module()
        pins = self.pins
        writes, reads, was_write = Signal(), Signal(), Signal()
        address = Mux(writes, pins.awaddr, pins.araddr)
        access = one_access(
            m,
            self.bus,
            writes | reads,
            we=writes,
            adr=address[2:],
            dat_w=pins.wdata,
            malformed=address[:2].any() | (writes & ~pins.wstrb.all()),
            dropped=Const(0),
        )
        free = ~writes & ~reads & ~access.reading
        to_write = free & pins.awvalid & pins.wvalid & (~pins.bvalid | pins.bready)
        to_read = free & pins.arvalid & (~pins.rvalid | pins.rready)
        m.d.sync += [writes.eq(to_write & ~(to_read & was_write)), reads.eq(to_read & ~(to_write & ~was_write))]
        with m.If(writes | reads):
            m.d.sync += was_write.eq(writes)
        m.d.comb += [
            pins.awready.eq(writes),
            pins.wready.eq(writes),
            pins.arready.eq(reads),
            pins.rdata.eq(access.word),
            self.active.eq(access.active),
        ]
        with m.If(writes):
            m.d.sync += [pins.bvalid.eq(1), pins.bresp.eq(Mux(access.illegal, _SLVERR, _OKAY))]
        with m.Elif(pins.bready):
            m.d.sync += pins.bvalid.eq(0)
        with m.If(access.ends):
            m.d.sync += [pins.rvalid.eq(1), pins.rresp.eq(Mux(access.fails, _SLVERR, _OKAY))]
        with m.Elif(pins.rready):
            m.d.sync += pins.rvalid.eq(0)
        with m.If(access.fails):
            m.d.sync += access.word.eq(0)
        return m
