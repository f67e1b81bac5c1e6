"""BarePort: the plainest port, requests by valid and ready, each answered by a pulse."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .host_bus import HOST_BUS, READ_CYCLES
from .spec.registers import ADDRESS_BITS, REGION_BITS, Region

__all__ = ["BARE_PORTS", "BarePort"]

BARE_PORTS = {
    "valid": In(1),
    "ready": Out(1),
    "we": In(1),
    "adr": In(ADDRESS_BITS - 2),
    "dat_w": In(32),
    "done": Out(1),
    "refused": Out(1),
    "dat_r": Out(32),
}
"""Members of the port; ``adr`` counts words of 32 bits."""


class BarePort(wiring.Component):
    """A request is taken in a cycle in which ``valid`` and ``ready`` are high. ``done`` is high for one cycle for each,
    in order: 1 cycle after a write was taken, `READ_CYCLES` + 2 after a read, with ``dat_r``.

    ``ready`` is low while a read is under way; a write can follow every cycle. ``refused`` goes with ``done`` where an
    access to a memory came while ``busy``, and was not carried out, or where ``busy`` overtook a read of one; ``dat_r``
    is then 0.
    """

    def __init__(self) -> None:
        super().__init__({**BARE_PORTS, **HOST_BUS})

    def elaborate(self, platform: object) -> Module:
        """One read at a time; writes go straight on."""
        m = Module()
        taken, reading, failed = Signal(), Signal(), Signal()
        wait = Signal(range(READ_CYCLES + 1))
        region, offset = Signal(Region), Signal(REGION_BITS - 2)
        conflict = self.busy & (self.adr[REGION_BITS - 2 :] != Region.REGISTERS)
        # a run that starts while a read is on its way takes the memory's port away from it
        overtaken = self.busy & (region != Region.REGISTERS)
        m.d.comb += [
            self.ready.eq(~reading),
            taken.eq(self.valid & self.ready),
            self.conflict.eq(taken & conflict),
            self.write_region.eq(region),
            self.write_offset.eq(offset),
            self.read_region.eq(region),
            self.read_offset.eq(offset),
        ]
        m.d.sync += [self.write.eq(0), self.done.eq(0), self.refused.eq(0)]
        with m.If(taken):
            m.d.sync += [
                region.eq(self.adr[REGION_BITS - 2 :]),
                offset.eq(self.adr),
                self.write_data.eq(self.dat_w),
                wait.eq(READ_CYCLES),
                failed.eq(conflict),
                reading.eq(~self.we),
                self.write.eq(self.we & ~conflict),
                self.done.eq(self.we),
                self.refused.eq(self.we & conflict),
            ]
        with m.If(reading):
            m.d.sync += [wait.eq(wait - 1), failed.eq(failed | overtaken)]
            with m.If(wait == 0):
                m.d.sync += [
                    reading.eq(0),
                    self.done.eq(1),
                    self.refused.eq(failed | overtaken),
                    self.dat_r.eq(self.read_data),
                ]
                with m.If(failed | overtaken):
                    m.d.sync += self.dat_r.eq(0)
        return m
