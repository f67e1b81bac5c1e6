"""WishbonePort: Wishbone B4 classic slave in front of the registers and memory windows."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from ..spec.registers import ADDRESS_BITS
from .host_bus import HOST_BUS
from .one_access import one_access

__all__ = ["Wishbone", "WishbonePort"]

_FEATURES = {"err": In(1), "rty": In(1), "stall": In(1), "lock": Out(1), "cti": Out(3), "bte": Out(2)}


class Wishbone(Signature):
    """A Wishbone bus with the members that amaranth-soc gives its own; a slave has it flipped.

    Parameters
    ----------
    addr_width : int
        Of ``adr``, which counts words of ``data_width``.
    data_width, granularity : int
        Of a word, and of what a bit of ``sel`` stands for.
    features : iterable of str
        Of ``err``, ``rty``, ``stall``, ``lock``, ``cti`` and ``bte``, those that are there.
    """

    def __init__(self, *, addr_width: int, data_width: int, granularity: int, features: Iterable[str] = ()) -> None:
        self.features = frozenset(features)
        super().__init__(
            {
                "adr": Out(addr_width),
                "dat_w": Out(data_width),
                "dat_r": In(data_width),
                "sel": Out(data_width // granularity),
                "cyc": Out(1),
                "stb": Out(1),
                "we": Out(1),
                "ack": In(1),
                **{name: member for name, member in _FEATURES.items() if name in self.features},
            }
        )


class WishbonePort(wiring.Component):
    """Standard single cycles of 32 bits, each ended by one cycle of ``ack`` or ``err``: a write after 1 cycle, a read
    after `HOST_READ_CYCLES` + 2.

    A master that knows incrementing bursts (CTI, BTE) sees a slave that ends every beat like a classic one, as B4
    allows. A cycle is ended by ``err`` and not carried out where it writes without all four bytes selected or reaches
    for a memory while ``busy``; so is a read of a memory that ``busy`` overtakes. A read whose ``stb`` or ``cyc`` is
    taken back before its end is dropped without an answer.
    """

    def __init__(self) -> None:
        pins = Wishbone(addr_width=ADDRESS_BITS - 2, data_width=32, granularity=8, features={"err"})
        super().__init__({"pins": In(pins), "bus": Out(HOST_BUS), "active": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """One access at a time."""
        m = Module()
        pins, selected, begin = self.pins, Signal(), Signal()
        access = one_access(
            m,
            self.bus,
            begin,
            we=pins.we,
            adr=pins.adr,
            dat_w=pins.dat_w,
            malformed=pins.we & ~pins.sel.all(),
            dropped=~selected,
        )
        m.d.comb += [
            pins.dat_r.eq(access.word),
            selected.eq(pins.cyc & pins.stb),
            begin.eq(selected & ~pins.ack & ~pins.err & ~access.reading),
            pins.ack.eq(access.done),
            pins.err.eq(access.refused),
            self.active.eq(access.active),
        ]
        return m
