"""HeldWord: words of activations that were latched, as weights."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..spec.config import AcceleratorConfig
from ..spec.held import latched_rows

__all__ = ["HELD_FLAGS", "HeldWord"]

HELD_FLAGS = data.StructLayout(
    {
        "latch": 1,  # keep the words that the step reads
        "alike": 1,  # row 0's for all columns
        "held": 1,  # multiply the held word by the weights first
        "constant": 1,  # every row reads the pad code
    }
)
"""What a step asks of the held word, and of the words that it reads."""


class HeldWord(wiring.Component):
    """``codes`` are the weights of a step: its weight word, or where that is ``held`` what was latched, times the -1, 0
    or 1 of that word.

    ``weights``, ``words`` and ``flags`` are those of one step, and ``codes`` come in the same cycle. What a step with
    ``latch`` reads is held from the next cycle on: by all columns the word of row 0, or by the last columns the words
    of as many rows, while what the other columns hold moves down.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "flags": In(HELD_FLAGS),
                "words": In(data.ArrayLayout(config.act_word_bits, config.rows)),
                "weights": In(config.weight_word_bits),
                "codes": Out(config.weight_word_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A look-up table for each bit in front of the register, and one behind it."""
        m = Module()
        config, flags = self._config, self.flags
        words = [self.words[row] for row in range(latched_rows(config))]
        held = [Signal(config.act_word_bits, name=f"held{column}", reset_less=True) for column in range(config.columns)]
        moved = [*held[len(words) :], *words]
        with m.If(flags.latch):
            m.d.sync += [word.eq(Mux(flags.alike, words[0], own)) for word, own in zip(held, moved, strict=True)]
        bits, place = config.weight_digits.base.bits, config.weight_bits
        for index in range(config.columns * config.lanes):
            column, lane = divmod(index, config.lanes)
            weight = self.weights.word_select(index, place)[:bits]
            code = held[column].word_select(lane, config.code_bits)[:bits]
            # 0 and 1 differ in the lowest bit of their codes, 1 and -1 in the highest
            magnitude = Mux(flags.held, Mux(weight[0], code[:-1], 0), weight[:-1])
            negative = weight[-1] ^ (flags.held & code[-1])
            m.d.comb += self.codes.word_select(index, place).eq(Cat(magnitude, negative))
        return m
