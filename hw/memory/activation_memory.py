"""ActivationMemory: interleaved banks that give neighbouring words, one for each row, in one cycle."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..cells.copies import copies_of
from ..cells.delay_line import delayed
from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline
from ..spec.registers import REGION_BITS, Region, region_beats
from ..spec.transfer import pieces_per_word
from .scratchpad import Scratchpad
from .single_port_memory import SinglePortMemory
from .split_scratchpad import SplitScratchpad

__all__ = ["ActivationMemory"]


class _Write(NamedTuple):
    """A write as a bank sees it: ``enable`` of its granules, and ``chosen``, the same for writes to this bank only."""

    address: Value
    data: Value
    enable: Value
    chosen: Value


def _transfer_ports(config: AcceleratorConfig) -> dict[str, wiring.Member]:
    return {
        "load_write": In(1),
        "load_word": In(config.act_address_bits),
        "load_piece": In(range(max(pieces_per_word(config, Region.ACTIVATIONS), 2))),
        "load_data": In(config.bus_bits),
        "load_ready": Out(1),
        "store_word": In(config.act_address_bits),
        "store_ready": Out(1),
        "store_data": Out(config.act_word_bits),
    }


def _pair_ports(config: AcceleratorConfig) -> dict[str, wiring.Member]:
    return {
        "pair_address": In(config.act_address_bits),
        "pair_data": In(config.act_word_bits),
        "pair_enable": In(config.granules),
    }


class ActivationMemory(wiring.Component):
    """Activation words in ``config.banks`` banks: address A lies in bank ``A % banks``, at word ``A // banks``.

    ``words[r]`` is the word of ``(address + r) % act_words``, `Pipeline.activation_read` after ``address``. A write
    stores the granules chosen by ``write_enable`` at the clock edge `Pipeline.to_banks` later. The host port has the
    same timing and serves only while ``host`` is high; then the core's own ports are ignored.

    With single-port memories a bank that is written is not read: ``words`` are undefined where anything is written in
    the cycle in which their banks are read.

    With two ``drain_rows`` there is a second write port, ``pair_*``; the two never name one bank in one cycle.

    With a backing store, loader and storer (ports as theirs) use each bank's write port in the cycles in which no
    granule is written there: the loader first. ``load_ready`` and ``store_ready`` say that a piece or a request is
    served.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "address": In(config.act_address_bits),
                "words": Out(data.ArrayLayout(config.act_word_bits, config.rows)),
                "write_address": In(config.act_address_bits),
                "write_data": In(config.act_word_bits),
                "write_enable": In(config.granules),
                "host": In(1),
                "host_write": In(1),
                "host_write_offset": In(REGION_BITS - 2),
                "host_write_data": In(32),
                "host_read_offset": In(REGION_BITS - 2),
                "host_read_data": Out(32),
                **(_pair_ports(config) if config.drain_rows == 2 else {}),
                **(_transfer_ports(config) if config.has_backing else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Address the banks, then rotate their words to the rows."""
        m = Module()
        config, plan = self._config, pipeline(self._config)
        banks, banks_log2, width = config.banks, config.banks_log2, config.act_word_bits
        beats = region_beats(config, Region.ACTIVATIONS)
        beats_log2 = (beats - 1).bit_length()

        address = Signal(config.act_address_bits)
        m.d.comb += address.eq(Mux(self.host, self.host_read_offset >> beats_log2, self.address))
        write_address = Signal(config.act_address_bits)
        write_data = Signal(width)
        write_enable = Signal(config.granules)
        with m.If(self.host):
            granules_per_beat = min(config.granules, 32 // (config.rescalers * config.code_bits))
            m.d.comb += write_address.eq(self.host_write_offset >> beats_log2)
            m.d.comb += write_data.eq(self.host_write_data.replicate(beats))
            for granule in range(config.granules):
                beat = granule // granules_per_beat
                m.d.comb += write_enable[granule].eq(self.host_write & (self.host_write_offset[:beats_log2] == beat))
        with m.Else():
            m.d.comb += [
                write_address.eq(self.write_address),
                write_data.eq(self.write_data),
                write_enable.eq(self.write_enable),
            ]
        writes = self._near_banks(m, write_address, write_data, write_enable, "write")
        if config.drain_rows == 2:
            pair_enable = Mux(self.host, 0, self.pair_enable)
            pairs = self._near_banks(m, self.pair_address, self.pair_data, pair_enable, "pair")

        first_bank = address[:banks_log2]
        bank_words, memories = [], []
        for bank in range(banks):
            bank_address = Signal(config.act_address_bits - banks_log2, name=f"bank{bank}_address", reset_less=True)
            m.d.sync += bank_address.eq((address >> banks_log2) + (bank < first_bank))
            write = writes[bank]
            shape = {"depth": config.act_words // banks, "width": width, "granule": width // config.granules}
            if config.memories == "single":
                memory = SinglePortMemory(**shape)
                bank_words.append(delayed(m, memory.read_data, plan.bank_read - 1, f"bank{bank}_read"))
                m.d.comb += memory.address.eq(Mux(write.chosen.any(), write.address >> banks_log2, bank_address))
            else:
                kind = SplitScratchpad if plan.bank_near else Scratchpad
                memory = kind(**shape, read_cycles=plan.bank_read, read_back=config.has_backing)
                bank_words.append(memory.read_data)
                m.d.comb += [
                    memory.read_address.eq(bank_address),
                    memory.write_address.eq(write.address >> banks_log2),
                ]
            memories.append(memory)
            m.submodules[f"bank{bank}"] = memory
            m.d.comb += [memory.write_data.eq(write.data), memory.write_enable.eq(write.chosen)]
            if config.drain_rows == 2:
                pair = pairs[bank]
                with m.If(pair.chosen.any()):
                    m.d.comb += [
                        memory.write_address.eq(pair.address >> banks_log2),
                        memory.write_data.eq(pair.data),
                        memory.write_enable.eq(pair.chosen),
                    ]
        if config.has_backing:
            self._transfers(m, memories, writes[0].address, writes[0].enable)
        bank_words = [delayed(m, word, plan.bank_word, f"bank{bank}_word") for bank, word in enumerate(bank_words)]

        # a logarithmic rotator: stage k moves by 2**k banks; where banks are far, every quarter of a word has its own
        late = plan.activation_read - plan.rotate
        rotations = copies_of(m, first_bank, late, "rotation", most=4 if plan.to_banks else 1)
        rows: list[list[Value]] = [[] for _ in range(config.rows)]
        for part, rotation in enumerate(rotations):
            bits = slice(part * width // len(rotations), (part + 1) * width // len(rotations))
            rotated = [bank_word[bits] for bank_word in bank_words]
            for stage in range(banks_log2):
                rotated = [Mux(rotation[stage], rotated[(i + (1 << stage)) % banks], rotated[i]) for i in range(banks)]
            for row, word in zip(rows, rotated, strict=False):
                row.append(word)
        for row, parts in enumerate(rows):
            word = Signal(width, name=f"word{row}", reset_less=True)
            m.d.sync += word.eq(Cat(parts))
            m.d.comb += self.words[row].eq(word)

        beat = delayed(m, self.host_read_offset[:beats_log2], plan.activation_read, "beat", reset_less=False)
        pieces = [Cat(self.words[0])[32 * beat : 32 * (beat + 1)] for beat in range(beats)]
        m.d.comb += self.host_read_data.eq(Array(pieces)[beat] if beats > 1 else pieces[0])
        return m

    def _near_banks(self, m: Module, address: Value, data: Value, enable: Value, name: str) -> list[_Write]:
        """A write as each bank sees it: later, from registers for its share of the banks."""
        config = self._config
        banks, banks_log2 = config.banks, config.banks_log2
        ranks = pipeline(config).to_banks
        most = 1 << ranks
        addresses = copies_of(m, address, ranks, f"{name}_address", most=most)
        values = copies_of(m, data, ranks, f"{name}_data", most=most)
        together = delayed(m, enable, ranks, f"{name}_enable", reset_less=False)
        writes = []
        for bank in range(banks):
            chosen = Signal(config.granules, name=f"bank{bank}_{name}_enable")
            m.d.comb += chosen.eq(Mux(address[:banks_log2] == bank, enable, 0))
            share = bank * len(addresses) // banks
            late = delayed(m, chosen, ranks, f"bank{bank}_{name}_enable", reset_less=False)
            writes.append(_Write(addresses[share], values[share], together, late))
        return writes

    def _transfers(self, m: Module, memories: list[Scratchpad], write_address: Value, write_enable: Value) -> None:
        """Give loader and storer the banks that nobody writes."""
        config = self._config
        banks_log2, granules = config.banks_log2, config.granules
        bus_bits, width = config.bus_bits, config.act_word_bits
        written = write_enable.any()
        load_enable = Signal(granules)
        if pieces_per_word(config, Region.ACTIVATIONS) > 1:
            granule_bits = width // granules
            for granule in range(granules):
                m.d.comb += load_enable[granule].eq(self.load_piece == granule * granule_bits // bus_bits)
        else:
            m.d.comb += load_enable.eq(-1)
        data = self.load_data.replicate(-(-width // bus_bits))
        load_bank, store_bank = self.load_word[:banks_log2], self.store_word[:banks_log2]
        m.d.comb += [
            self.load_ready.eq(~written | (load_bank != write_address[:banks_log2])),
            self.store_ready.eq(
                (~written | (store_bank != write_address[:banks_log2])) & (~self.load_write | (store_bank != load_bank))
            ),
        ]
        for bank, memory in enumerate(memories):
            with m.If(self.load_write & self.load_ready & (load_bank == bank)):
                m.d.comb += [
                    memory.write_address.eq(self.load_word >> banks_log2),
                    memory.write_data.eq(data),
                    memory.write_enable.eq(load_enable),
                ]
            with m.Elif(self.store_ready & (store_bank == bank)):
                m.d.comb += memory.write_address.eq(self.store_word >> banks_log2)
        chosen = Signal(max(1, banks_log2))
        m.d.sync += chosen.eq(store_bank)
        m.d.comb += self.store_data.eq(Array(memory.read_back for memory in memories)[chosen])
