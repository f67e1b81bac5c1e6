"""OperandFetch: turns steps into the operands of the array, with padding filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..array.array import STEP_FLAGS, operand_copies
from ..array.operand import operand_layout, recode
from ..cells.copies import copy_of
from ..cells.delay_line import DelayLine, delayed
from ..cells.records import record_layout
from ..spec.config import AcceleratorConfig
from ..spec.isa import TAP
from ..spec.pipeline import pipeline
from .stepper import step_layout
from .walker import pixel_group_layout

__all__ = ["OperandFetch", "keep_operands"]


def keep_operands(m: Module, config: AcceleratorConfig, name: str, operands: data.View, codes: Value) -> None:
    """Registers of all ``operands`` that a port of `MacArray` takes, made of their codes `Pipeline.codes` and
    `Pipeline.recode` before.

    A spread array first takes the codes to its halves: fewer wires cross it than if operands did, which are twice as
    wide.
    """
    base, bits = config.digits.base, operand_layout(config.digits.base).size
    count, copies = len(codes) // config.code_bits, operand_copies(config)
    halves = [codes]
    if pipeline(config).codes:
        halves = [copy_of(m, codes, half, f"{name}_codes{half}") for half in range(min(copies, 2))]
    for copy in range(copies):
        near = halves[copy * len(halves) // copies]
        for index in range(count):
            operand = recode(base, near.word_select(index, config.code_bits))
            kept = copy_of(m, operand, copy % 2, f"{name}{copy}_{index}")
            m.d.comb += operands.as_value().word_select(copy * count + index, bits).eq(kept)


class OperandFetch(wiring.Component):
    """Pipeline from a step to operands: tap record, address, activation and weight words, padding, predecoding. One
    step a cycle, no stall.

    ``x`` and ``w`` (as `MacArray` takes them), ``flags`` and ``count`` (pixels in the step's group) belong together and
    appear `Pipeline.operands` after the step. ``group`` is the pixel group offered with a step flagged ``new_group``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

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
                "x": Out(data.ArrayLayout(word, config.rows * operand_copies(config))),
                "w": Out(data.ArrayLayout(word, config.columns * operand_copies(config))),
                "flags": Out(STEP_FLAGS),
                "count": Out(config.rows.bit_length()),
                "row0_valid": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Registers between tap record, address, words and operands; everything else is delayed alongside."""
        m = Module()
        config, plan, step = self._config, pipeline(self._config), self.step
        group = Signal.like(self.group, reset_less=True)  # that of the tap's step
        offered = delayed(m, self.group, plan.tap_read - 1, "offered")
        begins = delayed(m, step.flags.valid & step.new_group, plan.tap_read - 1, "new_group", reset_less=False)
        with m.If(begins):
            m.d.sync += group.eq(offered)
        base = delayed(m, step.base, plan.tap_read, "base")
        m.d.comb += self.tap_address.eq(step.tap)

        valid = Signal(config.rows, reset_less=True)
        m.d.sync += self.act_address.eq(base + self.tap.offset)
        for row in range(config.rows):
            borders = group.borders[row]
            m.d.sync += valid[row].eq(
                (borders.top >= self.tap.top)
                & (borders.bottom >= self.tap.bottom)
                & (borders.left >= self.tap.left)
                & (borders.right >= self.tap.right)
            )

        valid = delayed(m, valid, plan.words - plan.tap_read - 1, "valid")
        along = plan.words - plan.weights
        together = (step.pad_code, step.weight, step.flags, group.count)
        pad_code, weight, flags, count = self._along(m, together, along)
        pad_code = delayed(m, pad_code, plan.weights, "pad_code")
        m.d.comb += self.weight_address.eq(weight)
        padding = pad_code.replicate(config.lanes)
        words = Cat(Mux(valid[row], self.act_words[row], padding) for row in range(config.rows))
        keep_operands(m, config, "x", self.x, words)
        keep_operands(m, config, "w", self.w, self.weight_word)
        behind = plan.operands - plan.words
        m.d.comb += self.row0_valid.eq(delayed(m, valid[0], behind, "row0_valid"))
        m.d.comb += [
            self.flags.eq(delayed(m, flags, plan.weights + behind, "flags", reset_less=False)),
            self.count.eq(delayed(m, count, plan.weights + behind - plan.tap_read, "count")),
        ]
        return m

    def _along(self, m: Module, values: Sequence[Any], cycles: int) -> list[Any]:
        """Values so many cycles later; iCE40s have block RAM to spare for it, but no registers."""
        if self._config.fabric != "ice40":
            return [delayed(m, value, cycles, f"along{index}_", reset_less=False) for index, value in enumerate(values)]
        together = Cat(*values)
        m.submodules.along = line = DelayLine(width=len(together), cycles=cycles)
        m.d.comb += line.x.eq(together)
        late = [Signal.like(value, name=f"late{index}") for index, value in enumerate(values)]
        m.d.comb += Cat(*late).eq(line.y)
        return late
