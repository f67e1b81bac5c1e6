"""OperandFetch: turns steps into the operands of the array, with padding filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..array.array import Operands, operand_copies
from ..array.operand import Operand, act_operand, weight_operand
from ..array.recoder import Recoder
from ..cells.checks import CHECK, any_check
from ..cells.copies import copies_of
from ..cells.delay_line import DelayLine, delayed
from ..cells.interfaces import INSTRUCTION, MemoryRead
from ..cells.records import record_layout
from ..drain.max_pool import WindowWords
from ..spec.config import AcceleratorConfig
from ..spec.held import latched_rows
from ..spec.isa import TAP
from ..spec.pipeline import pipeline
from .held_word import HELD_FLAGS, HeldWord
from .job_queue import lanes_layout
from .stepper import step_layout
from .walker import pixel_group_layout

__all__ = ["OPERAND_CHECKS", "OperandFetch", "keep_operands"]

OPERAND_CHECKS = data.StructLayout({"taps": CHECK, "weights": CHECK, "activations": CHECK})
"""By memory, what check bits say of the words of a step."""


def keep_operands(
    m: Module, config: AcceleratorConfig, name: str, operands: data.View, codes: Value, operand: Operand
) -> None:
    """Registers of all ``operands`` that a port of `MacArray` takes, made of their codes `Pipeline.codes`,
    `Pipeline.recode` and `Pipeline.operand_near` before.

    Copies double from register to register. A spread array first takes the codes to its halves: fewer wires cross it
    than if operands did, which are twice as wide.
    """
    plan, bits, copies = pipeline(config), operand.layout.size, operand_copies(config)
    count = len(operands.as_value()) // bits // copies
    place = len(codes) // count
    behind = plan.recode + plan.operand_near
    halves = copies_of(m, codes, plan.codes, f"{name}_codes", most=copies >> behind)
    for half, near in enumerate(halves):
        for index in range(count):
            m.submodules[f"recode_{name}{half}_{index}"] = recoder = Recoder(operand, name)
            m.d.comb += recoder.code.eq(near.word_select(index, place))  # which may have bits to spare
            mine = copies_of(
                m, recoder.operand.as_value(), behind, f"{name}{half}_{index}_", most=copies // len(halves)
            )
            for copy, kept in enumerate(mine, half * len(mine)):
                m.d.comb += operands.as_value().word_select(copy * count + index, bits).eq(kept)


def _where(condition: Value, flags: data.View) -> Value:
    return Cat(flags.valid & condition, flags.first, flags.shift, flags.last)


class OperandFetch(wiring.Component):
    """Pipeline from a step to operands: tap record, address, activation and weight words, padding, predecoding. One
    step a cycle, no stall.

    Operands appear `Pipeline.operands` after their step: on ``operands`` those of a MAC, on ``windows`` (with a
    max-pool unit) those of a MAX, as ``back``, the instruction behind the array, says. ``count``, the pixels in the
    step's group, follows `Pipeline.array` later, with the sums. ``group`` is the pixel group offered with a step
    flagged ``new_group``. Reads of activations are ``valid`` for a step's words alone, and not while ``enable`` is low.
    ``checks`` say what is known of words that a step uses, two cycles behind each; of activations those of rows that
    have a pixel inside the tensor, or that are latched.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        step = step_layout(config)
        words, checked = data.ArrayLayout(config.act_word_bits, config.rows), int(config.is_protected)
        super().__init__(
            {
                "enable": In(1),
                "step": In(step),
                "group": In(pixel_group_layout(config)),
                "back": In(INSTRUCTION),
                "taps": Out(MemoryRead(step["tap"].width, record_layout(TAP), checked)),
                "activations": Out(MemoryRead(config.act_address_bits, words, config.rows * checked)),
                "weights": Out(MemoryRead(step["weight"].width, config.weight_word_bits, checked)),
                "operands": Out(Operands(config)),
                "count": Out(config.rows.bit_length()),
                **({"windows": Out(WindowWords(config))} if config.max_pool else {}),
                **({"checks": Out(OPERAND_CHECKS)} if checked else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Registers between tap record, address, words and operands; everything else is delayed alongside."""
        m = Module()
        config, plan, step = self._config, pipeline(self._config), self.step
        tap, read, operands = self.taps.data, self.activations, self.operands
        group = Signal.like(self.group, reset_less=True)  # that of the tap's step
        offered = delayed(m, self.group, plan.tap_read - 1, "offered")
        begins = delayed(m, step.flags.valid & step.new_group, plan.tap_read - 1, "new_group", reset_less=False)
        with m.If(begins):
            m.d.sync += group.eq(offered)
        base = delayed(m, step.base, plan.tap_read, "base")
        m.d.comb += self.taps.address.eq(step.tap)

        valid = Signal(config.rows, reset_less=True)
        used = Signal(config.rows, reset_less=True) if config.is_protected else None
        reading = delayed(m, step.flags.valid, plan.tap_read, "reading", reset_less=False)
        m.d.sync += [read.address.eq(base + tap.offset), read.valid.eq(reading & self.enable)]
        for row in range(config.rows):
            sides = Cat(group.borders[row][side] >= tap[side] for side in ("top", "bottom", "left", "right"))
            inside = delayed(m, sides, 1, f"sides{row}_").all()
            m.d.sync += valid[row].eq(inside)
            if used is not None:
                m.d.sync += used[row].eq(inside & delayed(m, row < group.count, 1, f"in_group{row}_"))

        valid = delayed(m, valid, plan.words - plan.tap_read - 2, "valid")
        along = plan.words - plan.weights
        together = [step.pad_code, step.weight, step.flags, group.count]
        together += [*([step.dynamic] if config.dynamic else []), *([step.lanes] if config.diagonals > 1 else [])]
        pad_code, weight, flags, count, *beside = self._along(m, together, along)
        pad_code = delayed(m, pad_code, plan.weights, "pad_code")
        m.d.comb += [self.weights.address.eq(weight), self.weights.valid.eq(flags.valid)]
        padding, weights = pad_code.replicate(config.lanes), self.weights.data
        if config.diagonals > 1:
            weights = self._own_lanes(m, weights, data.View(lanes_layout(config), Value.cast(beside.pop())))
        if config.dynamic:
            dynamic = data.View(HELD_FLAGS, delayed(m, beside[0], plan.weights, "dynamic", reset_less=False))
            valid = valid & ~dynamic.constant.replicate(config.rows)
        words = Signal(len(read.data.as_value()))  # one signal: what is made of it many times is written once
        m.d.comb += words.eq(Cat(Mux(valid[row], read.data[row], padding) for row in range(config.rows)))
        if used is not None:
            used = delayed(m, used, plan.words - plan.tap_read - 2, "used")
            if config.dynamic:
                latched = Cat(~dynamic.alike if row < latched_rows(config) else 0 for row in range(config.rows))
                used = (used | Mux(dynamic.latch, latched, 0)) & ~dynamic.constant.replicate(config.rows)
            words_there = delayed(m, flags.valid, plan.weights, "words_there", reset_less=False)
            self._judge(m, reading, words_there, flags.valid & ~self.back.is_max, used)
        if config.dynamic:
            m.submodules.held_word = held = HeldWord(config)
            m.d.comb += [held.flags.eq(dynamic), held.words.eq(words), held.weights.eq(weights)]
            weights = held.codes
        keep_operands(m, config, "x", operands.x, words, act_operand(config))
        keep_operands(m, config, "w", operands.w, weights, weight_operand(config))
        behind = plan.operands - plan.words
        flags = delayed(m, flags, plan.weights + behind, "flags", reset_less=False)
        m.d.comb += [
            operands.flags.eq(_where(~self.back.is_max, flags)),
            self.count.eq(delayed(m, count, plan.weights + behind - plan.tap_read + plan.array, "count")),
        ]
        if config.max_pool:
            windows = self.windows
            m.d.comb += [
                *(
                    windows.word.word_select(lane, config.code_bits).eq(act_operand(config).code_of(operand))
                    for lane, operand in enumerate(operands.x[0])
                ),
                windows.inside.eq(delayed(m, valid[0], behind, "inside")),
                windows.flags.eq(_where(self.back.is_max, flags)),
            ]
        return m

    def _own_lanes(self, m: Module, weights: Value, lanes: data.View) -> Value:
        """A weight word with 0 in the lanes that are no concern of the column group; ``lanes`` are `Pipeline.weights`
        early."""
        config = self._config
        own = Signal(config.diagonals)
        for place in range(config.diagonals):
            m.d.comb += own[place].eq(~lanes.apart | (lanes.place == place))
        mask = delayed(m, own, pipeline(config).weights, "own_lanes")
        size = config.columns * config.weight_bits
        # as a reset of the registers behind, which costs no look-up table
        return Cat(
            Mux(mask[index % config.diagonals], weights.word_select(index, size), 0)
            for index in range(config.columns * config.diagonals)
        )

    def _judge(self, m: Module, tap: Value, words: Value, weight: Value, used: Value) -> None:
        """Checks of a tap (with ``tap``, when it is there), of activation words (with ``words``, of the rows that are
        ``used``) and of a weight word (asked for with ``weight``)."""
        plan = pipeline(self._config)
        rows = delayed(m, used & words.replicate(self._config.rows), 1, "used_rows", reset_less=False)
        found = {
            "taps": (self.taps.checks, delayed(m, tap, 1, "tap_judged", reset_less=False)),
            "weights": (self.weights.checks, delayed(m, weight, plan.weights + 1, "weight_judged", reset_less=False)),
            "activations": (self.activations.checks, rows),
        }
        for name, (checks, judged) in found.items():
            m.d.comb += self.checks[name].eq(any_check(m, name, checks, Mux(self.enable, judged, 0)))

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
