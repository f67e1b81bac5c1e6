"""ProgramMemory: a scratchpad that the host fills in 32-bit beats and the core reads word by word."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from ..cells.checks import CHECK
from ..cells.copies import copies_of, copy_of
from ..cells.delay_line import delayed
from ..cells.interfaces import HOST_WRITE, MemoryRead
from ..spec.config import AcceleratorConfig
from ..spec.isa import Opcode
from ..spec.pipeline import pipeline
from ..spec.protection import CORRECTABLE
from ..spec.registers import Region, region_beats, region_depth, region_word_bits
from ..spec.transfer import MEMORIES, pieces_per_word
from .piece_write import PieceWrite
from .protected_scratchpad import ProtectedScratchpad
from .scratchpad import Scratchpad
from .single_port_memory import SinglePortMemory

__all__ = ["ProgramMemory"]

_MOST_PARTS = 16
"""Parts side by side, each with registers of its own, of a memory that one register cannot reach."""

_UNIT = 16
"""Bits that lie in one part at least; two of these have a beat's enable in common."""


class _HostWrite(NamedTuple):
    """A beat that the host writes, with an enable for each place that it may go to."""

    address: Value
    data: Value
    enables: Value


class ProgramMemory(wiring.Component):
    """Memory of one region, write-only to the host; with a backing store, the loader writes weights and parameters.

    A host write stores one beat at the end of its cycle. ``read.data`` shows the word of ``read.address``
    `Pipeline.program_read` later. Weights that one register cannot reach lie in parts side by side, each with registers
    of its own, and are written `Pipeline.weight_near` later. A piece of the loader goes before a write of the host.
    Weights with a single port are read in all cycles without a write, and the loader waits while ``read.valid`` is
    high. In a protected core words have check bits (`spec.protection`).

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
        self._width = width = region_word_bits(config, region)
        # parity where nothing is corrected
        self._protection = config.protection if region in CORRECTABLE or not config.is_protected else "parity"
        self._late = plan.correct if region is Region.WEIGHTS else 0
        super().__init__(
            {
                "host": In(HOST_WRITE),
                "read": In(MemoryRead(max(1, (self._depth - 1).bit_length()), width, int(config.is_protected))),
                **({"load": In(PieceWrite(config))} if self._loads else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One memory, or some side by side with registers around each."""
        m = Module()
        beats_log2 = (self._beats - 1).bit_length()
        beat, word = self.host.offset[:beats_log2], self.host.offset >> beats_log2
        enables = Cat(self.host.enable & (beat == index) for index in range(self._beats))
        self._found: list[Value] = []
        if not self._near:
            host = _HostWrite(word, self.host.data, enables)
            everything = range(0, 32 * self._beats, 32)
            m.d.comb += self.read.data.eq(self._part(m, "memory", everything, self.read.address, host))
            self._check(m)
            return m
        units = range(0, 32 * self._beats, _UNIT)
        parts = min(1 << self._near, _MOST_PARTS, len(units))
        values = {"address": word, "data": self.host.data, "read_address": self.read.address}
        copies = {name: copies_of(m, value, self._near, name, most=parts) for name, value in values.items()}
        enabled = delayed(m, enables, self._near - 1, "enabled", reset_less=False)
        words = []
        for part in range(parts):
            bits = units[part * len(units) // parts : (part + 1) * len(units) // parts]
            chosen = Signal(len(bits), name=f"chosen{part}")
            m.d.sync += chosen.eq(Cat(enabled[bit // 32] for bit in bits))
            near = part * len(copies["data"]) // parts
            host = _HostWrite(copies["address"][near], copies["data"][near], chosen)
            read = self._part(m, f"part{part}", bits, copies["read_address"][near], host)
            words.append(copy_of(m, read, part % 2, f"word{part}") if self._out else read)
        m.d.comb += self.read.data.eq(Cat(words))
        self._check(m)
        return m

    def _check(self, m: Module) -> None:
        """What the parts found of a word."""
        if self._protection != "none":
            found = Signal(CHECK)
            m.d.comb += [
                found.damaged.eq(Cat(check.damaged for check in self._found).any()),
                found.corrected.eq(Cat(check.corrected for check in self._found).any()),
                self.read.checks[0].eq(delayed(m, found, self._out, "check")),
            ]

    def _part(self, m: Module, name: str, bits: range, read_address: Value, host: _HostWrite) -> Value:
        """A memory of some of a word's bits, with an enable for each step of their range; gives what it reads."""
        granule = bits.step
        shape = {"depth": self._depth, "width": granule * len(bits), "granule": granule}
        if self._single:
            m.submodules[name] = memory = SinglePortMemory(**shape)
            port, writes = memory.address, host.enables.any()
            read_data = delayed(m, memory.read_data, self._read_cycles - 1, f"{name}_read")
        else:
            # whole beats, so that each has its own enable; synthesis drops the bits that nothing reads
            shape["read_cycles"] = self._read_cycles - self._late
            if self._protection == "none":
                memory = Scratchpad(**shape)
            else:
                used = [max(0, min(granule, self._width - bit)) for bit in bits]
                memory = ProtectedScratchpad(protection=self._protection, used=used, **shape)
                self._found.append(memory.check)
            m.submodules[name] = memory
            port, writes, read_data = memory.write_address, Const(1), memory.read_data
            m.d.comb += memory.read_address.eq(read_address)
        host_writes = [
            port.eq(Mux(writes, host.address, read_address)),
            memory.write_data.eq(Cat(host.data[bit % 32 :][:granule] for bit in bits)),
            memory.write_enable.eq(host.enables),
        ]
        if not self._loads:
            m.d.comb += host_writes
            return read_data
        load, pieces = self.load, self.load.data.replicate(self._pieces)
        m.d.comb += load.ready.eq(~self.read.valid if self._single else 1)
        with m.If(load.valid & load.ready):
            m.d.comb += [
                port.eq(load.word),
                memory.write_data.eq(Cat(pieces[bit:][:granule] for bit in bits)),
                memory.write_enable.eq(
                    Cat((load.piece == bit // self._bus_bits) if self._pieces > 1 else 1 for bit in bits)
                ),
            ]
        with m.Else():
            m.d.comb += host_writes
        return read_data
