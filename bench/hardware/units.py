"""This project's units, each as a component with two ports: ``operands`` in, ``results`` out."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from narrows.hw.array.array import STEP_FLAGS, MacArray
from narrows.hw.array.operand import act_operand, weight_operand
from narrows.hw.cells.delay_line import delayed
from narrows.hw.control.operands import keep_operands
from narrows.hw.core import Core
from narrows.hw.drain.encoder import Encoder
from narrows.hw.drain.rescaler import Rescaler
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline

__all__ = ["CoreUnit", "ArrayUnit", "RescalerChannel", "captured", "fields_of"]


def fields_of(fields: Value, *widths: int) -> list[Value]:
    """Consecutive fields, the first in the low bits."""
    parts, offset = [], 0
    for width in widths:
        parts.append(fields[offset : offset + width])
        offset += width
    return parts


def captured(m: Module, value: Value) -> Signal:
    """``value`` one cycle later, so that every path of a unit starts at a register."""
    register = Signal(len(value), name="operands_register")
    m.d.sync += register.eq(value)
    return register


class ArrayUnit(wiring.Component):
    """The core's array with its edges: registers of codes, predecoding into operand registers, `MacArray`.

    ``operands``: activation codes (row, lane), weight codes (column, lane), `STEP_FLAGS`. ``results``: sums (row,
    column), whether they are inverted, and ``done``, `latency` cycles later.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._bits = (config.rows * config.act_word_bits, config.weight_word_bits)
        self._array = MacArray(config)
        self._plan = pipeline(config)
        self._kept = self._plan.predecode
        super().__init__(
            {
                "operands": In(sum(self._bits) + STEP_FLAGS.size),
                "results": Out(config.rows * config.columns * (config.acc_bits + 1) + 1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the operands of the last step to its sums."""
        return 1 + self._kept + self._plan.array

    def elaborate(self, platform: object) -> Module:
        """Registers of codes and of operands in front of the array, as behind the memories of a core."""
        m = Module()
        m.submodules.array = array = self._array
        registers = captured(m, self.operands)
        x, w, flags = fields_of(registers, *self._bits, STEP_FLAGS.size)
        keep_operands(m, self._config, "x", array.operands.x, x, act_operand(self._config))
        keep_operands(m, self._config, "w", array.operands.w, w, weight_operand(self._config))
        m.d.comb += [
            array.operands.flags.eq(delayed(m, flags, self._kept, "step", reset_less=False)),
            self.results.eq(Cat(array.results.sums.as_value(), array.results.inverted.as_value(), array.results.done)),
        ]
        return m


class RescalerChannel(wiring.Component):
    """One channel of the drain: `Rescaler` and `Encoder`, their inputs from registers.

    ``operands``: the rescaler's inputs in the order of its ports, then the encoder's but ``half_units``. ``results``:
    the base code, `latency` cycles later.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        plan = pipeline(config)
        self.latency = 1 + plan.rescaler + plan.encoder
        self._rescaler, self._encoder = Rescaler(config), Encoder(config)
        rescaler, encoder = self._rescaler, self._encoder
        self._inputs = [
            rescaler.acc,
            rescaler.bias,
            rescaler.multiplicand_low,
            rescaler.shift,
            rescaler.zero,
            rescaler.low,
            rescaler.high,
            encoder.plane,
            encoder.uneven,
            encoder.rounding,
            encoder.planes,
        ]
        super().__init__({"operands": In(sum(len(port) for port in self._inputs)), "results": Out(len(encoder.code))})

    def elaborate(self, platform: object) -> Module:
        """Registers, rescaler, encoder."""
        m = Module()
        m.submodules.rescaler, m.submodules.encoder = self._rescaler, self._encoder
        m.d.comb += [
            Cat(self._inputs).eq(captured(m, self.operands)),
            self._encoder.half_units.eq(self._rescaler.half_units),
            self.results.eq(self._encoder.code),
        ]
        return m


class CoreUnit(wiring.Component):
    """A whole core, its host port behind registers: for its cost and its clock, the handshakes are not kept.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._core = Core(config)
        pins = [(member.flow, Value.cast(value)) for _, member, value in self._core.signature.flatten(self._core)]
        self._inputs = [value for flow, value in pins if flow == In]
        self._outputs = [value for flow, value in pins if flow == Out]
        super().__init__(
            {
                "operands": In(sum(len(port) for port in self._inputs)),
                "results": Out(sum(len(port) for port in self._outputs)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Registers before the core's inputs."""
        m = Module()
        m.submodules.core = self._core
        m.d.comb += [Cat(self._inputs).eq(captured(m, self.operands)), self.results.eq(Cat(self._outputs))]
        return m
