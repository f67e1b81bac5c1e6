"""ProgramMemory: a scratchpad that the host fills in 32-bit beats and the core reads word by word."""

from __future__ import annotations

from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .scratchpad import Scratchpad
from .single_port_memory import SinglePortMemory
from .spec.config import AcceleratorConfig
from .spec.isa import Opcode
from .spec.registers import REGION_BITS, Region, region_beats, region_depth, region_word_bits
from .spec.transfer import MEMORIES, pieces_per_word

__all__ = ["ProgramMemory"]


class ProgramMemory(wiring.Component):
    """Memory of one region, write-only to the host; with a backing store, the loader writes weights and parameters.

    A host write stores one beat in the cycle after ``host_write`` is high. ``read_data`` shows the word of
    ``read_address`` one cycle later. ``load_write`` stores ``load_data`` as piece ``load_piece`` of word ``load_word``
    (`Loader`); then the host's port is ignored. Weights with a single port are read in all other cycles.

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
        self._pieces = pieces_per_word(config, region)
        self._loads = config.has_backing and region in MEMORIES[Opcode.LOAD]
        self._bus_bits = config.bus_bits
        self._single = region is Region.WEIGHTS and config.memories == "single"
        width = region_word_bits(config, region)
        load_ports = {
            "load_write": In(1),
            "load_word": In(16),
            "load_piece": In(range(max(self._pieces, 2))),
            "load_data": In(config.bus_bits),
        }
        super().__init__(
            {
                "host_write": In(1),
                "host_offset": In(REGION_BITS - 2),
                "host_data": In(32),
                "read_address": In(max(1, (self._depth - 1).bit_length())),
                "read_data": Out(width),
                **(load_ports if self._loads else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Decode beat and word of a host offset."""
        m = Module()
        beats_log2 = (self._beats - 1).bit_length()
        beat = self.host_offset[:beats_log2]
        if self._single:
            memory = SinglePortMemory(depth=self._depth, width=self._beats * 32, granule=32)
            m.d.comb += memory.address.eq(Mux(self.host_write, self.host_offset >> beats_log2, self.read_address))
        else:
            # whole beats, so that each has its own enable; synthesis drops the bits that nothing reads
            memory = Scratchpad(depth=self._depth, width=self._beats * 32, granule=32)
            m.d.comb += [
                memory.write_address.eq(self.host_offset >> beats_log2),
                memory.read_address.eq(self.read_address),
            ]
        m.submodules.memory = memory
        m.d.comb += [
            memory.write_data.eq(self.host_data.replicate(self._beats)),
            self.read_data.eq(memory.read_data),
        ]
        for index in range(self._beats):
            m.d.comb += memory.write_enable[index].eq(self.host_write & (beat == index))
        if self._loads:
            in_piece = self._bus_bits // 32
            with m.If(self.load_write):
                m.d.comb += memory.write_address.eq(self.load_word)
                for index in range(self._beats):
                    m.d.comb += [
                        memory.write_enable[index].eq(
                            (self.load_piece == index // in_piece) if self._pieces > 1 else 1
                        ),
                        memory.write_data.word_select(index, 32).eq(self.load_data.word_select(index % in_piece, 32)),
                    ]
        return m
