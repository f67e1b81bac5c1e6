"""AXI_BYTES: AXI4-Streams of bytes at a core's pins (AMBA AXI-Stream, ARM IHI 0051), and how Amaranth's streams meet
them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out, Signature

__all__ = ["AXI_BYTES", "from_pins", "to_pins"]

AXI_BYTES = Signature({"tvalid": Out(1), "tready": In(1), "tdata": Out(8), "tlast": Out(1), "tuser": Out(1)})
"""From who has frames to a core, and from a core to who takes answers, a byte a beat; TLAST goes with the last byte of
a frame or an answer.

A beat with TUSER from who has frames is no byte: the frame under way, if one is, ends there and is spoilt; with TLAST,
too, one whose bytes were all lost. From a core it is a whole answer, and stands for a frame that gave none."""


def from_pins(m: Module, pins: Any, stream: Any) -> None:
    """Connect `AXI_BYTES` with the stream of `STREAM_BYTE` that takes what comes there: frames in a core, answers in a
    design around one."""
    m.d.comb += [
        stream.valid.eq(pins.tvalid),
        stream.payload.byte.eq(pins.tdata),
        stream.payload.last.eq(pins.tlast),
        stream.payload.error.eq(pins.tuser),
        pins.tready.eq(stream.ready),
    ]


def to_pins(m: Module, stream: Any, pins: Any) -> None:
    """Connect a stream of `STREAM_BYTE` with the `AXI_BYTES` on which it leaves: answers in a core, frames in a design
    around one."""
    m.d.comb += [
        pins.tvalid.eq(stream.valid),
        pins.tdata.eq(stream.payload.byte),
        pins.tlast.eq(stream.payload.last),
        pins.tuser.eq(stream.payload.error),
        stream.ready.eq(pins.tready),
    ]
