"""AXI_FRAMES, AXI_ANSWERS: AXI4-Streams of bytes at a core's pins (AMBA AXI-Stream, ARM IHI 0051), and how Amaranth's
streams meet them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out, Signature

__all__ = ["AXI_ANSWERS", "AXI_FRAMES", "answers_from", "frames_to"]

AXI_FRAMES = Signature({"tvalid": Out(1), "tready": In(1), "tdata": Out(8), "tlast": Out(1)})
"""From who has frames, a byte a beat; TLAST goes with a frame's last byte."""

AXI_ANSWERS = Signature({"tvalid": Out(1), "tready": In(1), "tdata": Out(8), "tlast": Out(1), "tuser": Out(1)})
"""To who takes answers, a byte a beat. TLAST goes with an answer's last byte; a beat with TUSER is a whole answer, and
stands for a frame that gave none."""


def frames_to(m: Module, pins: Any, frames: Any) -> None:
    """Connect `AXI_FRAMES` with a stream of `hw.serve.receiver.FRAME_BYTE`."""
    m.d.comb += [
        frames.valid.eq(pins.tvalid),
        frames.payload.byte.eq(pins.tdata),
        frames.payload.last.eq(pins.tlast),
        pins.tready.eq(frames.ready),
    ]


def answers_from(m: Module, answers: Any, pins: Any) -> None:
    """Connect a stream of `hw.serve.sender.ANSWER_BYTE` with `AXI_ANSWERS`."""
    m.d.comb += [
        pins.tvalid.eq(answers.valid),
        pins.tdata.eq(answers.payload.byte),
        pins.tlast.eq(answers.payload.last),
        pins.tuser.eq(answers.payload.error),
        answers.ready.eq(pins.tready),
    ]
