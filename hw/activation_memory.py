"""ActivationMemory: interleaved banks that give neighbouring words, one for each row, in one cycle."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .scratchpad import Scratchpad
from .spec.config import AcceleratorConfig
from .spec.registers import REGION_BITS, Region, region_beats

__all__ = ["ActivationMemory"]


class ActivationMemory(wiring.Component):
    """Activation words in ``config.banks`` banks: address A lies in bank ``A % banks``, at word ``A // banks``.

    ``words[r]`` is the word of ``(address + r) % act_words``, `READ_CYCLES` cycles after ``address``. A write stores
    the granules chosen by ``write_enable`` at the clock edge. The host's port has the same timing and serves only while
    ``host`` is high; then the core's own ports are ignored.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    READ_CYCLES = 3

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
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Address the banks, then rotate their words to the rows."""
        m = Module()
        config = self._config
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

        first_bank = address[:banks_log2]
        bank_words = []
        for bank in range(banks):
            memory = Scratchpad(depth=config.act_words // banks, width=width, granule=width // config.granules)
            m.submodules[f"bank{bank}"] = memory
            bank_address = Signal(config.act_address_bits - banks_log2, name=f"bank{bank}_address")
            m.d.sync += bank_address.eq((address >> banks_log2) + (bank < first_bank))
            m.d.comb += [
                memory.read_address.eq(bank_address),
                memory.write_address.eq(write_address >> banks_log2),
                memory.write_data.eq(write_data),
            ]
            with m.If(write_address[:banks_log2] == bank):
                m.d.comb += memory.write_enable.eq(write_enable)
            bank_words.append(memory.read_data)

        rotation = [first_bank]
        for stage in range(2):
            delayed = Signal(banks_log2, name=f"rotation{stage}")
            m.d.sync += delayed.eq(rotation[-1])
            rotation.append(delayed)
        # a logarithmic rotator: stage k moves by 2**k banks
        rotated = bank_words
        for stage in range(banks_log2):
            rotated = [Mux(rotation[-1][stage], rotated[(i + (1 << stage)) % banks], rotated[i]) for i in range(banks)]
        for row in range(config.rows):
            m.d.sync += self.words[row].eq(rotated[row])

        beat_delays = [self.host_read_offset[:beats_log2]]
        for stage in range(3):
            delayed = Signal(beats_log2, name=f"beat{stage}")
            m.d.sync += delayed.eq(beat_delays[-1])
            beat_delays.append(delayed)
        pieces = [Cat(self.words[0])[32 * beat : 32 * (beat + 1)] for beat in range(beats)]
        m.d.comb += self.host_read_data.eq(Array(pieces)[beat_delays[-1]] if beats > 1 else pieces[0])
        return m
