"""Feeder: a frame of bytes laid out as a network's input."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..cells.delay_line import delayed, kept
from ..cells.interfaces import HOST_WRITE
from ..cells.records import record_layout
from ..control.run_control import FEEDING
from ..memory.activation_memory import words_write
from ..memory.scratchpad import Scratchpad
from ..spec.config import AcceleratorConfig
from ..spec.feed import BYTES, FEED_SHAPE, FEED_SHAPE_ENTRY, FRAME_WORD_BYTES, feed_planes
from ..spec.pipeline import pipeline
from ..spec.registers import Region, region_stride
from .loops import FeedLoops, Kind
from .writer import FeedWriter

__all__ = ["Feeder"]


class Feeder(wiring.Component):
    """The frame memory, the codes of bytes, and who lays the one out by the other (`spec.feed`).

    The host writes all of it: ``frame``, ``codes``, ``feed``. From ``feeding.go`` on the frame written until then is
    laid out, and what the host writes from the cycle of ``go`` on belongs to the next one: there are two places for
    frames. ``write`` is served in every cycle: nobody else writes activations while a frame is laid out. ``resting`` is
    high while nothing of a frame is on its way.

    Takes 10 cycles, a cycle for each lane of each word of a plane (more where planes are more than rescalers, the
    difference for each granule), some for every round of the loops (`FeedLoops`) and 10 or so for the end of each
    pixel.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "frame": In(HOST_WRITE),
                "codes": In(HOST_WRITE),
                "feed": In(HOST_WRITE),
                "feeding": In(FEEDING),
                "write": Out(words_write(config)),
                "resting": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """From a byte's place to its codes through two memories, then to the writer."""
        m = Module()
        config, plan = self._config, pipeline(self._config)
        m.submodules.loops = loops = FeedLoops(config)
        m.submodules.writer = writer = FeedWriter(config)
        m.submodules.frame_memory = frame = Scratchpad(
            depth=2 * config.frame_bytes // FRAME_WORD_BYTES, width=32, granule=32, read_cycles=plan.frame_read
        )
        code_bits = feed_planes(config) * config.code_bits
        m.submodules.code_memory = codes = Scratchpad(
            depth=BYTES, width=code_bits, granule=code_bits, read_cycles=plan.code_read
        )
        connect(m, flipped(self.feed), loops.host)
        connect(m, writer.write, flipped(self.write))
        shape = self._shape(m)
        feeding, values = self.feeding, loops.values
        coming = Signal()  # place of the frame that the host writes
        m.d.sync += coming.eq(coming ^ feeding.go)
        # a cycle late, as what tells where it belongs
        offset, word = kept(m, "frame", self.frame.offset, self.frame.data)
        written = delayed(m, self.frame.enable, 1, "frame_written", reset_less=False)
        within = (config.frame_bytes // FRAME_WORD_BYTES - 1).bit_length()
        m.d.comb += [
            loops.go.eq(feeding.go),
            loops.clear.eq(feeding.clear),
            loops.columns.eq(shape.columns),
            loops.lines.eq(shape.lines),
            feeding.busy.eq(loops.busy),
            feeding.ended.eq(loops.ended),
            frame.write_address.eq(Cat(offset[:within], coming)),
            frame.write_data.eq(word),
            frame.write_enable.eq(written),
            codes.write_address.eq(self.codes.offset),
            codes.write_data.eq(self.codes.data),
            codes.write_enable.eq(self.codes.enable),
            frame.read_address.eq(Cat(values.payload.place[2:], ~coming)),
        ]
        lanes = [frame.read_data[8 * index : 8 * (index + 1)] for index in range(FRAME_WORD_BYTES)]
        chosen = delayed(m, values.payload.place[:2], plan.frame_read, "chosen")
        byte = delayed(m, Array(lanes)[chosen], 1, "byte")
        late = plan.frame_read + 1 + plan.code_read
        kind = delayed(m, values.payload.kind, late, "kind")
        under_way = [values.valid]
        for stage in range(late + 1):
            under_way.append(delayed(m, under_way[-1], 1, f"under_way{stage}_", reset_less=False))
        code = Mux(kind == Kind.BYTE, codes.read_data, Mux(kind == Kind.FILL, shape.fill, 0))
        idle = Signal()
        m.d.comb += [
            codes.read_address.eq(byte),
            writer.codes.valid.eq(under_way[-1]),
            writer.codes.payload.eq(delayed(m, code[:code_bits], 1, "code")),
            writer.word.eq(loops.word),
            writer.group.eq(shape.group),
            writer.plane.eq(shape.plane),
            writer.planes.eq(shape.planes),
            idle.eq(~Cat(under_way).any() & writer.resting),
            loops.rest.eq(idle),
            self.resting.eq(idle),
            writer.rewind.eq(idle & loops.between),
        ]
        return m

    def _shape(self, m: Module) -> data.View:
        """Registers of `FEED_SHAPE`; only bits that something reads stay."""
        beats_log2 = (region_stride(self._config, Region.FEED) // 4 - 1).bit_length()
        words = Signal(32 * FEED_SHAPE.words, reset_less=True)
        for beat in range(FEED_SHAPE.words):
            chosen = self.feed.offset == (FEED_SHAPE_ENTRY << beats_log2 | beat)
            with m.If(self.feed.enable & chosen):
                m.d.sync += words[32 * beat : 32 * (beat + 1)].eq(self.feed.data)
        return data.View(record_layout(FEED_SHAPE), words)
