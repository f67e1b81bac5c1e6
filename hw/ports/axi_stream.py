"""AXI_FRAMES, AXI_ANSWERS: AXI4-Streams of bytes at a core's pins (AMBA AXI-Stream, ARM IHI 0051), and how Amaranth's
streams meet them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out, Signature

__all__ = ["AXI_ANSWERS", "AXI_FRAMES", "answers_from", "answers_to", "frames_from", "frames_to"]

AXI_FRAMES = Signature({"tvalid": Out(1), "tready": In(1), "tdata": Out(8), "tlast": Out(1), "tuser": Out(1)})
"""From who has frames, a byte a beat; TLAST goes with a frame's last byte. A beat with TUSER is no byte: the frame
under way, if one is, ends there and is spoilt; with TLAST, too, one whose bytes were all lost."""

AXI_ANSWERS = Signature({"tvalid": Out(1), "tready": In(1), "tdata": Out(8), "tlast": Out(1), "tuser": Out(1)})
"""To who takes answers, a byte a beat. TLAST goes with an answer's last byte; a beat with TUSER is a whole answer, and
stands for a frame that gave none."""


def frames_to(m: Module, pins: Any, frames: Any) -> None:
    """Connect `AXI_FRAMES`, of a core's side, with a stream of `hw.serve.receiver.FRAME_BYTE` that takes them."""
    m.d.comb += [
        frames.valid.eq(pins.tvalid),
        frames.payload.byte.eq(pins.tdata),
        frames.payload.last.eq(pins.tlast),
        frames.payload.abort.eq(pins.tuser),
        pins.tready.eq(frames.ready),
    ]


def frames_from(m: Module, frames: Any, core: Any) -> None:
    """Connect a stream of frames, of a design around a `Core`, with the core's ``s_axis``."""
    m.d.comb += [
        core.tvalid.eq(frames.valid),
        core.tdata.eq(frames.payload.byte),
        core.tlast.eq(frames.payload.last),
        core.tuser.eq(frames.payload.abort),
        frames.ready.eq(core.tready),
    ]


def answers_from(m: Module, answers: Any, pins: Any) -> None:
    """Connect a stream of `hw.serve.sender.ANSWER_BYTE` with `AXI_ANSWERS`, of a core's side."""
    m.d.comb += [
        pins.tvalid.eq(answers.valid),
        pins.tdata.eq(answers.payload.byte),
        pins.tlast.eq(answers.payload.last),
        pins.tuser.eq(answers.payload.error),
        answers.ready.eq(pins.tready),
    ]


def answers_to(m: Module, core: Any, answers: Any) -> None:
    """Connect a `Core`'s ``m_axis`` with a stream that takes its answers, of a design around it."""
    m.d.comb += [
        answers.valid.eq(core.tvalid),
        answers.payload.byte.eq(core.tdata),
        answers.payload.last.eq(core.tlast),
        answers.payload.error.eq(core.tuser),
        core.tready.eq(answers.ready),
    ]
