"""BarePort: the plainest port, requests by valid and ready, each answered by a pulse."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from ..spec.registers import ADDRESS_BITS
from .host_bus import HOST_BUS
from .one_access import one_access

__all__ = ["BARE", "BarePort"]

BARE = Signature(
    {
        "valid": Out(1),
        "ready": In(1),
        "we": Out(1),
        "adr": Out(ADDRESS_BITS - 2),
        "dat_w": Out(32),
        "done": In(1),
        "refused": In(1),
        "dat_r": In(32),
    }
)
"""From who asks to a `BarePort`; ``adr`` counts words of 32 bits."""


class BarePort(wiring.Component):
    """A request is taken in a cycle in which ``valid`` and ``ready`` are high. ``done`` is high for one cycle for each,
    in order: 1 cycle after a write was taken, `HOST_READ_CYCLES` + 2 after a read, with ``dat_r``.

    ``ready`` is low while a read is under way; a write can follow every cycle. ``refused`` goes with ``done`` where an
    access to a memory came while ``busy``, and was not carried out, or where ``busy`` overtook a read of one; ``dat_r``
    is then 0.
    """

    def __init__(self) -> None:
        super().__init__({"pins": In(BARE), "bus": Out(HOST_BUS), "active": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """One read at a time; writes go straight on."""
        m = Module()
        pins, taken = self.pins, Signal()
        access = one_access(
            m,
            self.bus,
            taken,
            we=pins.we,
            adr=pins.adr,
            dat_w=pins.dat_w,
            malformed=Const(0),
            dropped=Const(0),
        )
        m.d.comb += [
            pins.dat_r.eq(access.word),
            pins.ready.eq(~access.reading),
            taken.eq(pins.valid & pins.ready),
            pins.done.eq(access.done | access.refused),
            pins.refused.eq(access.refused),
            self.active.eq(access.active),
        ]
        with m.If(access.fails):
            m.d.sync += access.word.eq(0)
        return m
