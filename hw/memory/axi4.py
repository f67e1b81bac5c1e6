"""AXI4: the master's signatures, and the walk over a transfer's lines in bursts that stay within pages."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from ..spec.config import AcceleratorConfig
from ..spec.transfer import BURST_BEATS, PAGE

__all__ = ["BURST", "INCREMENT", "OKAY", "Axi4", "Axi4Read", "Axi4Write", "BurstWalker"]

INCREMENT = 0b01
"""Burst type whose beats lie one after the other."""

OKAY = 0b00
"""Response to a transfer that went well."""

BURST = data.StructLayout({"address": 32, "length": 8})
"""First byte on the bus, a multiple of a beat, and beats less one."""


def _address(channel: str) -> dict[str, wiring.Member]:
    sizes = {"addr": 32, "len": 8, "size": 3, "burst": 2, "cache": 4, "prot": 3, "valid": 1}
    return {f"{channel}{name}": Out(bits) for name, bits in sizes.items()} | {f"{channel}ready": In(1)}


def _read(data_width: int) -> dict[str, wiring.Member]:
    return {
        **_address("ar"),
        "rdata": In(data_width),
        "rresp": In(2),
        "rlast": In(1),
        "rvalid": In(1),
        "rready": Out(1),
    }


def _write(data_width: int) -> dict[str, wiring.Member]:
    return {
        **_address("aw"),
        "wdata": Out(data_width),
        "wstrb": Out(data_width // 8),
        "wlast": Out(1),
        "wvalid": Out(1),
        "wready": In(1),
        "bresp": In(2),
        "bvalid": In(1),
        "bready": Out(1),
    }


class Axi4Read(Signature):
    """A master's read channels, as AMBA AXI4 names them; without identifiers, so that all answers come in order."""

    def __init__(self, *, data_width: int) -> None:
        super().__init__(_read(data_width))


class Axi4Write(Signature):
    """The same of its write channels."""

    def __init__(self, *, data_width: int) -> None:
        super().__init__(_write(data_width))


class Axi4(Signature):
    """All channels of a master: those of `Axi4Read` and `Axi4Write`."""

    def __init__(self, *, data_width: int) -> None:
        super().__init__(_read(data_width) | _write(data_width))


class BurstWalker(wiring.Component):
    """Bursts of the lines of one transfer, in order.

    ``start`` begins a walk while ``busy`` is low; the inputs must be stable until ``busy`` falls, after the last burst
    was taken. The first burst is offered 4 cycles after ``start``, another of the same line 2 cycles, one of the next
    line 4 cycles after the one before was taken. A line that leaves the window raises ``outside`` and ends the walk
    until ``cancel``, which also ends a walk behind a burst on offer: that stays as it is until it is taken, whatever
    becomes of the inputs. ``base``, a multiple of `PAGE`, is where the window lies on the bus.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "cancel": In(1),
                "external": In(32),
                "external_pitch": In(32),
                "line_bytes": In(32),
                "lines": In(16),
                "base": In(32),
                "limit": In(32),
                "busy": Out(1),
                "outside": Out(1),
                "bursts": Out(stream.Signature(BURST)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Line by line: end, check, then size after size."""
        m = Module()
        beat_log2 = self._config.bus_bytes.bit_length() - 1
        line, lines_left = Signal(32), Signal(16)
        end = Signal(33)
        beat, beats_left = Signal(32 - beat_log2), Signal(32 - beat_log2)
        to_edge = Signal(range(BURST_BEATS + 1))
        size = Signal(range(BURST_BEATS + 1))
        m.d.comb += [
            to_edge.eq(BURST_BEATS - beat[: BURST_BEATS.bit_length() - 1]),
            self.bursts.payload.address.eq(beat << beat_log2),
            self.bursts.payload.length.eq(size - 1),
        ]

        def stop_if_cancelled() -> None:
            with m.If(self.cancel):
                m.next = "IDLE"

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [line.eq(self.external), lines_left.eq(self.lines)]
                with m.If(self.start):
                    m.next = "LINE"
            with m.State("LINE"):
                m.d.comb += self.busy.eq(1)
                m.d.sync += [end.eq(line + self.line_bytes), lines_left.eq(lines_left - 1)]
                m.next = "CHECK"
                stop_if_cancelled()
            with m.State("CHECK"):
                m.d.comb += self.busy.eq(1)
                first = line[beat_log2:]
                last = ((end + (self._config.bus_bytes - 1)) >> beat_log2)[: len(beats_left)]
                m.d.sync += [beat.eq(first + self.base[beat_log2:]), beats_left.eq(last - first)]
                m.next = "SIZE"
                with m.If(end > Cat(self.limit & -PAGE, 0)):
                    m.next = "OUTSIDE"
                stop_if_cancelled()
            with m.State("SIZE"):
                m.d.comb += self.busy.eq(1)
                m.d.sync += size.eq(Mux(beats_left < to_edge, beats_left, to_edge))
                m.next = "BURST"
                stop_if_cancelled()
            with m.State("BURST"):
                m.d.comb += [self.busy.eq(1), self.bursts.valid.eq(1)]
                with m.If(self.bursts.ready):
                    m.d.sync += [beat.eq(beat + size), beats_left.eq(beats_left - size)]
                    with m.If(beats_left != size):
                        m.next = "SIZE"
                    with m.Elif(lines_left != 0):
                        m.d.sync += line.eq(line + self.external_pitch)
                        m.next = "LINE"
                    with m.Else():
                        m.next = "IDLE"
                    stop_if_cancelled()
            with m.State("OUTSIDE"):
                m.d.comb += [self.busy.eq(1), self.outside.eq(1)]
                stop_if_cancelled()
        return m
