"""ActivationMemory: interleaved banks that give neighbouring words, one for each row, in one cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from ..cells.copies import copies_of
from ..cells.delay_line import delayed
from ..cells.interfaces import MemoryRead, MemoryWrite
from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline
from ..spec.registers import Region
from ..spec.transfer import pieces_per_word
from .activation_bank import ActivationBank
from .piece_write import PieceWrite

__all__ = ["ActivationMemory", "words_read", "words_write"]


def words_read(config: AcceleratorConfig) -> MemoryRead:
    """Reads of the words of all rows, from an address on."""
    words = data.ArrayLayout(config.act_word_bits, config.rows)
    return MemoryRead(config.act_address_bits, words, config.rows * config.is_protected)


def words_write(config: AcceleratorConfig) -> MemoryWrite:
    """Writes of granules of a word."""
    return MemoryWrite(config.act_address_bits, config.act_word_bits, config.granules)


class ActivationMemory(wiring.Component):
    """Activation words in ``config.banks`` banks: address A lies in bank ``A % banks``, at word ``A // banks``.

    ``read.data[r]`` is the word of ``(address + r) % act_words``, `Pipeline.activation_read` after ``address``. A write
    is stored at the clock edge `Pipeline.to_banks` later; those of several ``drain_rows`` never name one bank in one
    cycle. Both are always served.

    With single-port memories a bank that is written is not read: ``read.data`` is undefined where anything is written
    in the cycle in which its banks are read.

    With a backing store, loader and storer use each bank's write port in the cycles in which no granule is written
    there: the loader first. ``store.data`` is the word that was asked for in the cycle before.

    With check bits (`spec.protection`) each row's word has its own in ``read.checks``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        transfers = {
            "load": In(PieceWrite(config)),
            "store": In(MemoryRead(config.act_address_bits, config.act_word_bits, int(config.is_protected))),
        }
        super().__init__(
            {
                "read": In(words_read(config)),
                "writes": In(words_write(config)).array(config.drain_rows),
                **(transfers if config.has_backing else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Address the banks, then rotate their words to the rows."""
        m = Module()
        config, plan = self._config, pipeline(self._config)
        banks_log2 = config.banks_log2
        address, first_bank = self.read.address, self.read.address[:banks_log2]
        banks = [ActivationBank(config) for _ in range(config.banks)]
        reading = delayed(m, self.read.valid, 1, "reading", reset_less=False)
        for number, bank in enumerate(banks):
            m.submodules[f"bank{number}"] = bank
            bank_address = Signal(config.act_address_bits - banks_log2, name=f"bank{number}_address", reset_less=True)
            m.d.sync += bank_address.eq((address >> banks_log2) + (number < first_bank))
            m.d.comb += [bank.address.eq(bank_address), bank.reading.eq(reading)]
        for row, write in enumerate(self.writes):
            self._write(m, write, [bank.writes[row] for bank in banks], f"write{row}")
        if config.has_backing:
            self._transfers(m, banks)
        self._rotate(
            m, first_bank, [delayed(m, bank.word, plan.bank_word, f"word{i}_") for i, bank in enumerate(banks)]
        )
        if config.is_protected:
            checks = [delayed(m, bank.check.as_value(), plan.bank_word, f"check{i}_") for i, bank in enumerate(banks)]
            behind = delayed(m, first_bank, plan.activation_read - plan.rotate + 1, "check_rotation")
            for row, check in zip(range(config.rows), self._rotated(behind, checks), strict=False):
                m.d.sync += self.read.checks[row].eq(check)
        return m

    def _rotate(self, m: Module, first_bank: Value, words: list[Value]) -> None:
        """A logarithmic rotator: stage k moves by 2**k banks; where banks are far, every quarter of a word has its
        own."""
        plan, width = pipeline(self._config), self._config.act_word_bits
        late = plan.activation_read - plan.rotate
        rotations = copies_of(m, first_bank, late, "rotation", most=4 if plan.to_banks else 1)
        rows: list[list[Value]] = [[] for _ in range(self._config.rows)]
        for part, rotation in enumerate(rotations):
            bits = slice(part * width // len(rotations), (part + 1) * width // len(rotations))
            for row, word in zip(rows, self._rotated(rotation, [word[bits] for word in words]), strict=False):
                row.append(word)
        for row, parts in enumerate(rows):
            word = Signal(width, name=f"word{row}", reset_less=True)
            m.d.sync += word.eq(Cat(parts))
            m.d.comb += self.read.data[row].eq(word)

    def _rotated(self, rotation: Value, words: list[Value]) -> list[Value]:
        banks = len(words)
        for stage in range(self._config.banks_log2):
            words = [Mux(rotation[stage], words[(i + (1 << stage)) % banks], words[i]) for i in range(banks)]
        return words

    def _write(self, m: Module, write: Any, banks: list[Any], name: str) -> None:
        """Bring a write to its bank, through registers that serve a share of the banks each."""
        banks_log2, ranks = self._config.banks_log2, pipeline(self._config).to_banks
        most = 1 << ranks
        addresses = copies_of(m, write.address >> banks_log2, ranks, f"{name}_address", most=most)
        values = copies_of(m, write.data, ranks, f"{name}_data", most=most)
        for number, bank in enumerate(banks):
            chosen = Signal(self._config.granules, name=f"bank{number}_{name}_enable")
            m.d.comb += chosen.eq(Mux(write.address[:banks_log2] == number, write.enable, 0))
            share = number * len(addresses) // len(banks)
            m.d.comb += [
                bank.address.eq(addresses[share]),
                bank.data.eq(values[share]),
                bank.enable.eq(delayed(m, chosen, ranks, f"bank{number}_{name}_enable", reset_less=False)),
            ]

    def _transfers(self, m: Module, banks: list[ActivationBank]) -> None:
        """Bring loader and storer to the banks of their words."""
        config, load, store = self._config, self.load, self.store
        banks_log2, granule_bits = config.banks_log2, config.act_word_bits // config.granules
        enable = Signal(config.granules)
        if pieces_per_word(config, Region.ACTIVATIONS) > 1:
            for granule in range(config.granules):
                m.d.comb += enable[granule].eq(load.piece == granule * granule_bits // config.bus_bits)
        else:
            m.d.comb += enable.eq(-1)
        load_bank, store_bank = load.word[:banks_log2], store.address[:banks_log2]
        for number, bank in enumerate(banks):
            m.d.comb += [
                bank.load.valid.eq(load.valid & (load_bank == number)),
                bank.load.address.eq(load.word >> banks_log2),
                bank.load.data.eq(load.data.replicate(-(-config.act_word_bits // config.bus_bits))),
                bank.load.enable.eq(enable),
                bank.store.valid.eq(store.valid & (store_bank == number)),
                bank.store.address.eq(store.address >> banks_log2),
            ]
        late = delayed(m, store_bank, 1, "store_bank")
        m.d.comb += [
            load.ready.eq(Array(bank.load.ready for bank in banks)[load_bank]),
            store.ready.eq(Array(bank.store.ready for bank in banks)[store_bank]),
            store.data.eq(Array(bank.store.data for bank in banks)[late]),
        ]
        if config.is_protected:
            later = delayed(m, late, 1, "store_check_bank")
            m.d.comb += store.checks[0].eq(Array(bank.store.checks[0].as_value() for bank in banks)[later])
