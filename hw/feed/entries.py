"""FeedEntries: the loops that the host writes, in as few bits as a core's frames need."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..cells.interfaces import HOST_WRITE
from ..cells.records import record_layout
from ..memory.scratchpad import Scratchpad
from ..spec.config import AcceleratorConfig
from ..spec.feed import FEED_ENTRIES, FEED_STEP, FEED_STEP_WORDS, frame_place_bits
from ..spec.registers import Region, region_stride

__all__ = ["FeedEntries", "feed_step"]


def feed_step(config: AcceleratorConfig) -> data.StructLayout:
    """`FEED_STEP`, each field as wide as what it is added to or compared with; ``single`` says that ``count`` is 0."""
    place = frame_place_bits(config)
    return data.StructLayout(
        {
            "count": place,
            "single": 1,
            "word": config.act_address_bits,
            "byte": (config.frame_bytes - 1).bit_length(),
            "pixel": 1,
            "end": 1,
            "column": place,
            "line": place,
        }
    )


class FeedEntries(wiring.Component):
    """Entries of `Region.FEED`, each stored when the host writes its last word; ``step`` is that of ``address``, a
    cycle later.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__({"host": In(HOST_WRITE), "address": In(range(FEED_ENTRIES)), "step": Out(feed_step(config))})

    def elaborate(self, platform: object) -> Module:
        """The words before the last one are kept until that comes."""
        m = Module()
        shape = feed_step(self._config)
        beats_log2 = (region_stride(self._config, Region.FEED) // 4 - 1).bit_length()
        beat, last = self.host.offset[:beats_log2], FEED_STEP_WORDS - 1
        kept = [Signal(32, name=f"kept{index}", reset_less=True) for index in range(last)]
        for index, word in enumerate(kept):
            with m.If(self.host.enable & (beat == index)):
                m.d.sync += word.eq(self.host.data)
        given = data.View(record_layout(FEED_STEP), Cat(*kept, self.host.data, Const(0, 32)))
        stored = Signal(shape)
        m.d.comb += [getattr(stored, name).eq(getattr(given, name)) for name in shape.members if name != "single"]
        m.d.comb += stored.single.eq(stored.count == 0)
        depth = 1 << (FEED_ENTRIES - 1).bit_length()
        m.submodules.memory = memory = Scratchpad(depth=depth, width=shape.size, granule=shape.size)
        m.d.comb += [
            memory.write_address.eq(self.host.offset >> beats_log2),
            memory.write_data.eq(stored),
            memory.write_enable.eq(self.host.enable & (beat == last)),
            memory.read_address.eq(self.address),
            self.step.eq(memory.read_data),
        ]
        return m
