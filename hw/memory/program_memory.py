"""ProgramMemory: a scratchpad that the host fills in 32-bit beats and the core reads word by word."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.copies import copies_of, copy_of
from ..cells.delay_line import delayed
from ..spec.config import AcceleratorConfig
from ..spec.isa import Opcode
from ..spec.pipeline import pipeline
from ..spec.registers import REGION_BITS, Region, region_beats, region_depth, region_word_bits
from ..spec.transfer import MEMORIES, pieces_per_word
from .scratchpad import Scratchpad
from .single_port_memory import SinglePortMemory

__all__ = ["ProgramMemory"]


class _HostWrite(NamedTuple):
    """A beat that the host writes, with an enable for each place that it may go to."""

    address: Value
    data: Value
    enables: Value


class ProgramMemory(wiring.Component):
    """Memory of one region, write-only to the host; with a backing store, the loader writes weights and parameters.

    A host write stores one beat at the end of the cycle in which ``host_write`` is high. ``read_data`` shows the word
    of ``read_address`` `Pipeline.program_read` later. Weights that one register cannot reach lie in four parts, each
    with registers of its own, and are written `Pipeline.weight_near` later. ``load_write`` stores ``load_data`` as
    piece ``load_piece`` of word ``load_word`` (`Loader`); then the host's port is ignored. Weights with a single port
    are read in all other cycles.

    Parameters
    ----------
    config : AcceleratorConfig
    region : Region
        Sets depth, width and the window's stride.
    """

    def __init__(self, config: AcceleratorConfig, region: Region) -> None:
        self._beats = region_beats(config, region)
        self._depth = region_depth(config, region)
        self._pieces = pieces_per_word(config, region)
        self._loads = config.has_backing and region in MEMORIES[Opcode.LOAD]
        self._bus_bits = config.bus_bits
        plan = pipeline(config)
        self._near, self._out = (plan.weight_near, plan.weight_word) if region is Region.WEIGHTS else (0, 0)
        self._read_cycles = plan.program_read(region) - self._near - self._out
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
        """One memory, or four side by side with registers around each."""
        m = Module()
        beats_log2 = (self._beats - 1).bit_length()
        beat, word = self.host_offset[:beats_log2], self.host_offset >> beats_log2
        enables = Cat(self.host_write & (beat == index) for index in range(self._beats))
        if not self._near:
            host = _HostWrite(word, self.host_data, enables)
            m.d.comb += self.read_data.eq(self._part(m, "memory", range(self._beats), self.read_address, host))
            return m
        values = {"address": word, "data": self.host_data, "read_address": self.read_address}
        copies = {name: copies_of(m, value, self._near, name, most=4) for name, value in values.items()}
        enabled = delayed(m, enables, self._near - 1, "enabled", reset_less=False)
        words = []
        parts = min(4, self._beats)
        for part in range(parts):
            beats = range(part * self._beats // parts, (part + 1) * self._beats // parts)
            chosen = Signal(len(beats), name=f"chosen{part}")
            m.d.sync += chosen.eq(enabled[beats.start : beats.stop])
            host = _HostWrite(copies["address"][part], copies["data"][part], chosen)
            read = self._part(m, f"part{part}", beats, copies["read_address"][part], host)
            words.append(copy_of(m, read, part % 2, f"word{part}") if self._out else read)
        m.d.comb += self.read_data.eq(Cat(words))
        return m

    def _part(self, m: Module, name: str, beats: range, read_address: Value, host: _HostWrite) -> Value:
        """A memory of some of a word's beats; gives what it reads."""
        width = 32 * len(beats)
        if self._single:
            memory = SinglePortMemory(depth=self._depth, width=width, granule=32)
            m.d.comb += memory.address.eq(Mux(self.host_write, host.address, read_address))
            read_data = delayed(m, memory.read_data, self._read_cycles - 1, f"{name}_read")
        else:
            # whole beats, so that each has its own enable; synthesis drops the bits that nothing reads
            memory = Scratchpad(depth=self._depth, width=width, granule=32, read_cycles=self._read_cycles)
            read_data = memory.read_data
            m.d.comb += [memory.write_address.eq(host.address), memory.read_address.eq(read_address)]
        m.submodules[name] = memory
        m.d.comb += [memory.write_data.eq(host.data.replicate(len(beats))), memory.write_enable.eq(host.enables)]
        if self._loads:
            in_piece = self._bus_bits // 32
            with m.If(self.load_write):
                m.d.comb += memory.write_address.eq(self.load_word)
                for place, index in enumerate(beats):
                    m.d.comb += [
                        memory.write_enable[place].eq(
                            (self.load_piece == index // in_piece) if self._pieces > 1 else 1
                        ),
                        memory.write_data.word_select(place, 32).eq(self.load_data.word_select(index % in_piece, 32)),
                    ]
        return read_data
