"""OperandFetch: turns steps into the operands of the array, with padding filled in."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .activation_memory import ActivationMemory
from .array import STEP_FLAGS
from .operand import operand_layout, recode
from .program_memory import ProgramMemory
from .records import record_layout
from .spec.config import AcceleratorConfig
from .spec.isa import TAP
from .stepper import step_layout
from .walker import pixel_group_layout

__all__ = ["OperandFetch"]


def _delayed(m: Module, value: Any, cycles: int, name: str) -> Any:
    """``value`` through ``cycles`` registers."""
    for stage in range(cycles):
        register = Signal.like(value, name=f"{name}{stage}")
        m.d.sync += register.eq(value)
        value = register
    return value


class OperandFetch(wiring.Component):
    """Pipeline from a step to operands: tap record, address, activation and weight words, padding, predecoding. One
    step a cycle, no stall.

    ``x``, ``w``, ``flags`` and ``count`` (pixels in the step's group) belong together and appear `LATENCY` cycles after
    the step. ``group`` is the pixel group offered with a step flagged ``new_group``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    LATENCY = 2 + ActivationMemory.READ_CYCLES + 1

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        step = step_layout(config)
        word = data.ArrayLayout(operand_layout(config.digits.base), config.lanes)
        super().__init__(
            {
                "step": In(step),
                "group": In(pixel_group_layout(config)),
                "tap_address": Out(step["tap"].shape),
                "tap": In(record_layout(TAP)),
                "act_address": Out(config.act_address_bits),
                "act_words": In(data.ArrayLayout(config.act_word_bits, config.rows)),
                "weight_address": Out(step["weight"].shape),
                "weight_word": In(config.weight_word_bits),
                "x": Out(data.ArrayLayout(word, config.rows)),
                "w": Out(data.ArrayLayout(word, config.columns)),
                "flags": Out(STEP_FLAGS),
                "count": Out(config.rows.bit_length()),
                "row0_valid": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Registers between tap record, address, words and operands; everything else is delayed alongside."""
        m = Module()
        config, step = self._config, self.step
        group = Signal.like(self.group)
        with m.If(step.flags.valid & step.new_group):
            m.d.sync += group.eq(self.group)
        base = Signal.like(step.base)
        m.d.sync += base.eq(step.base)
        m.d.comb += self.tap_address.eq(step.tap)

        valid = Signal(config.rows)
        m.d.sync += self.act_address.eq(base + self.tap.offset)
        for row in range(config.rows):
            borders = group.borders[row]
            m.d.sync += valid[row].eq(
                (borders.top >= self.tap.top)
                & (borders.bottom >= self.tap.bottom)
                & (borders.left >= self.tap.left)
                & (borders.right >= self.tap.right)
            )

        valid = _delayed(m, valid, ActivationMemory.READ_CYCLES, "valid")
        pad_code = _delayed(m, step.pad_code, 2 + ActivationMemory.READ_CYCLES, "pad_code")
        weight_delay = 2 + ActivationMemory.READ_CYCLES - ProgramMemory.READ_CYCLES
        m.d.comb += self.weight_address.eq(_delayed(m, step.weight, weight_delay, "weight"))
        base, code_bits = config.digits.base, config.code_bits
        for row in range(config.rows):
            word = Mux(valid[row], self.act_words[row], pad_code.replicate(config.lanes))
            for lane in range(config.lanes):
                m.d.sync += self.x[row][lane].eq(recode(base, word.word_select(lane, code_bits)))
        for column in range(config.columns):
            for lane in range(config.lanes):
                code = self.weight_word.word_select(column * config.lanes + lane, code_bits)
                m.d.sync += self.w[column][lane].eq(recode(base, code))
        m.d.sync += self.row0_valid.eq(valid[0])
        m.d.comb += [
            self.flags.eq(_delayed(m, step.flags, self.LATENCY, "flags")),
            self.count.eq(_delayed(m, group.count, self.LATENCY - 1, "count")),
        ]
        return m
