"""HostStore: the host of a serial link as a client of the core's bus, beside loader and storer."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.interfaces import STORE_ACCESS
from ..spec.config import AcceleratorConfig
from ..spec.transfer import PAGE
from .axi4 import INCREMENT, OKAY, Axi4

__all__ = ["HostStore"]

_PATIENCE = 1 << 14  # cycles; less than a host waits for an answer (`spec.link.GAP_BITS` times four cycles a bit)


class HostStore(wiring.Component):
    """Stands between the memory system (``inner``) and the bus (``m_axi``). An access is a burst of one beat at
    ``base``, the window's, plus its offset. It is refused while the core is ``busy``; otherwise it waits until loader
    and storer are ``settled``, which have the bus at all other times. ``refused`` is high for a cycle with each
    refusal. ``resting`` is high while the host has nothing on the bus.

    A bus that does not answer within 16,384 cycles has the access refused, and all further ones at once, until it does:
    AXI4 lets nobody take a request back. Loader and storer wait as long.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        axi4 = Axi4(data_width=config.bus_bits)
        super().__init__(
            {
                "access": In(STORE_ACCESS),
                "busy": In(1),
                "settled": In(1),
                "base": In(32),
                "refused": Out(1),
                "resting": Out(1),
                "inner": In(axi4),
                "m_axi": Out(axi4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Either the host owns the bus, or the memory system does."""
        m = Module()
        config, access, inner, bus = self._config, self.access, self.inner, self.m_axi
        page_log2, lane_bits = PAGE.bit_length() - 1, (config.bus_bytes // 4).bit_length() - 1
        # of the access on the bus, which stays there when the host has given it up
        address, data, writes = Signal(32), Signal(32), Signal()
        owns, asks, data_left = Signal(), Signal(), Signal()
        lane = address[2 : 2 + lane_bits]
        beat = Cat(Const(0, 2 + lane_bits), address[2 + lane_bits :])  # not all memories take less
        host = {
            "araddr": beat,
            "awaddr": beat,
            "arvalid": asks & ~writes,
            "awvalid": asks & writes,
            "arsize": 2 + lane_bits,
            "awsize": 2 + lane_bits,
            "arburst": INCREMENT,
            "awburst": INCREMENT,
            "wdata": data.replicate(config.bus_bytes // 4),
            "wstrb": Const(0b1111, config.bus_bytes) << (lane << 2) if lane_bits else 0b1111,
            "wlast": 1,
            "wvalid": data_left,
            "rready": 1,
            "bready": 1,
        }
        for name, member in bus.signature.members.items():
            if member.flow is Out:
                m.d.comb += getattr(bus, name).eq(Mux(owns, host.get(name, 0), getattr(inner, name)))
            else:
                heard = ~owns if name.endswith(("valid", "ready")) else -1
                m.d.comb += getattr(inner, name).eq(getattr(bus, name) & heard)

        late, gave_up = Signal(range(_PATIENCE)), Signal()
        wanted, expired, failed = Signal(), Signal(), Signal()
        m.d.sync += [access.ack.eq(0), access.err.eq(0)]
        m.d.comb += [
            wanted.eq(access.stb & ~access.ack & ~access.err),
            expired.eq(gave_up | (late == _PATIENCE - 1)),
            failed.eq(Mux(writes, bus.bresp, bus.rresp) != OKAY),
            self.refused.eq(access.err),
            self.resting.eq(~owns),
        ]
        m.d.sync += late.eq(Mux(wanted & ~expired, late + 1, 0))

        def give_up() -> None:
            with m.Elif(wanted & expired):
                m.d.sync += [access.err.eq(1), gave_up.eq(1)]

        with m.FSM():
            with m.State("IDLE"):
                with m.If(wanted & self.busy):
                    m.d.sync += access.err.eq(1)
                with m.Elif(self.settled):
                    m.d.sync += gave_up.eq(0)
                    with m.If(wanted):
                        page = self.base[page_log2:] + access.offset[page_log2 - 2 :]
                        m.d.sync += [
                            address.eq(Cat(Const(0, 2), access.offset[: page_log2 - 2], page[: 32 - page_log2])),
                            data.eq(access.dat_w),
                            writes.eq(access.we),
                            data_left.eq(access.we),
                            asks.eq(1),
                            owns.eq(1),
                        ]
                        m.next = "BUS"
                give_up()
            with m.State("BUS"):
                with m.If(Mux(writes, bus.awready, bus.arready)):
                    m.d.sync += asks.eq(0)
                with m.If(bus.wready):
                    m.d.sync += data_left.eq(0)
                with m.If(bus.rvalid | bus.bvalid):
                    m.d.sync += [owns.eq(0), gave_up.eq(0)]
                    m.d.sync += access.dat_r.eq(bus.rdata.word_select(lane, 32) if lane_bits else bus.rdata)
                    with m.If(wanted & ~gave_up):
                        m.d.sync += [access.ack.eq(~failed), access.err.eq(failed)]
                    m.next = "IDLE"
                give_up()
        return m
