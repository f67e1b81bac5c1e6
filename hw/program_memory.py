"""ProgramMemory: a scratchpad that the host fills in 32-bit beats and the core reads word by word."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .scratchpad import Scratchpad
from .spec.config import AcceleratorConfig
from .spec.registers import REGION_BITS, Region, region_beats, region_depth, region_word_bits

__all__ = ["ProgramMemory"]


class ProgramMemory(wiring.Component):
    """Memory of one region, write-only to the host.

    A host write stores one beat in the cycle after ``host_write`` is high. ``read_data`` shows the word of
    ``read_address`` one cycle later.

    Parameters
    ----------
    config : AcceleratorConfig
    region : Region
        Sets depth, width and the window's stride.
    """

    READ_CYCLES = Scratchpad.READ_CYCLES

    def __init__(self, config: AcceleratorConfig, region: Region) -> None:
        self._beats = region_beats(config, region)
        self._depth = region_depth(config, region)
        width = region_word_bits(config, region)
        super().__init__(
            {
                "host_write": In(1),
                "host_offset": In(REGION_BITS - 2),
                "host_data": In(32),
                "read_address": In(max(1, (self._depth - 1).bit_length())),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Decode beat and word of a host offset."""
        m = Module()
        beats_log2 = (self._beats - 1).bit_length()
        # whole beats, so that each has its own enable; synthesis drops the bits that nothing reads
        m.submodules.memory = memory = Scratchpad(depth=self._depth, width=self._beats * 32, granule=32)
        beat = self.host_offset[:beats_log2]
        m.d.comb += [
            memory.write_address.eq(self.host_offset >> beats_log2),
            memory.write_data.eq(self.host_data.replicate(self._beats)),
            memory.read_address.eq(self.read_address),
            self.read_data.eq(memory.read_data),
        ]
        for index in range(self._beats):
            m.d.comb += memory.write_enable[index].eq(self.host_write & (beat == index))
        return m
