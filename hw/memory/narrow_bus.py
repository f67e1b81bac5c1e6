"""NarrowBus: a wide AXI4 master before a narrow slave."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .axi4 import INCREMENT, Axi4

__all__ = ["NarrowBus"]

_SAME = ("addr", "cache", "prot", "valid")


class NarrowBus(wiring.Component):
    """Makes several narrow beats of each beat. Bursts stay bursts; no cycle is added. Answers of a beat's parts are
    joined by OR: parts that fail make a beat that fails.

    Parameters
    ----------
    wide, narrow : int
        Bits of a beat on either side, powers of two. What is a burst of the wide side must be one of the narrow side,
        of 256 beats at most.
    """

    def __init__(self, *, wide: int, narrow: int) -> None:
        self._ratio = wide // narrow
        self._beat_bytes = narrow // 8
        super().__init__({"wide": In(Axi4(data_width=wide)), "narrow": Out(Axi4(data_width=narrow))})

    def elaborate(self, platform: object) -> Module:
        """Longer bursts; a counter of parts for each direction."""
        m = Module()
        wide, narrow, ratio = self.wide, self.narrow, self._ratio
        part_bits = ratio.bit_length() - 1
        for channel in ("ar", "aw"):
            for name in _SAME:
                m.d.comb += getattr(narrow, channel + name).eq(getattr(wide, channel + name))
            m.d.comb += [
                getattr(narrow, f"{channel}len").eq(Cat(Const(ratio - 1, part_bits), getattr(wide, f"{channel}len"))),
                getattr(narrow, f"{channel}size").eq(self._beat_bytes.bit_length() - 1),
                getattr(narrow, f"{channel}burst").eq(INCREMENT),
                getattr(wide, f"{channel}ready").eq(getattr(narrow, f"{channel}ready")),
            ]
        read_part, write_part = Signal(part_bits), Signal(part_bits)
        width = len(narrow.rdata)
        gathered, failed = Signal(width * (ratio - 1)), Signal.like(narrow.rresp)
        last_read, last_write = read_part == ratio - 1, write_part == ratio - 1
        m.d.comb += [
            wide.rdata.eq(Cat(gathered, narrow.rdata)),
            wide.rresp.eq(failed | narrow.rresp),
            wide.rlast.eq(narrow.rlast),
            wide.rvalid.eq(narrow.rvalid & last_read),
            narrow.rready.eq(wide.rready | ~last_read),
            narrow.wdata.eq(wide.wdata.word_select(write_part, width)),
            narrow.wstrb.eq(wide.wstrb.word_select(write_part, width // 8)),
            narrow.wlast.eq(wide.wlast & last_write),
            narrow.wvalid.eq(wide.wvalid),
            wide.wready.eq(narrow.wready & last_write),
            wide.bresp.eq(narrow.bresp),
            wide.bvalid.eq(narrow.bvalid),
            narrow.bready.eq(wide.bready),
        ]
        with m.If(narrow.rvalid & narrow.rready):
            m.d.sync += [read_part.eq(read_part + 1), gathered.eq(Cat(gathered, narrow.rdata)[width:])]
            with m.If(last_read):
                m.d.sync += failed.eq(0)
            with m.Else():
                m.d.sync += failed.eq(failed | narrow.rresp)
        with m.If(narrow.wvalid & narrow.wready):
            m.d.sync += write_part.eq(write_part + 1)
        return m
