"""Rescaler: accumulator, bias and a narrow multiplicand to a level in half units, clamped (one rounding later)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.adder import extend
from ..cells.delay_line import delayed, kept
from ..cells.masked_adder import MaskedAdder
from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline, registers_behind

__all__ = ["Rescaler"]


def _shift_right(m: Module, value: Value, shift: Value, width: int, registers: int) -> tuple[Value, Value, Value]:
    """Arithmetic right shift to ``width`` bits, whether the result needs more, and the value's sign, through so many
    ``registers``.

    The largest step comes first, and after each only the bits that smaller steps can still bring down are kept: what
    lies above them must repeat the sign.
    """
    sign = value[-1]
    overflow = Value.cast(0)
    for stage, registered in zip(reversed(range(len(shift))), registers_behind(len(shift), registers), strict=True):
        step = 1 << stage
        moved = Cat(value[step:], sign.replicate(min(step, len(value))))[: len(value)]
        chosen = Signal(len(value), name=f"shifted{stage}")
        m.d.comb += chosen.eq(Mux(shift[stage], moved, value))
        have = min(len(value), width + step - 1)
        overflow = overflow | (chosen[have - 1 :] != sign.replicate(len(value) - have + 1))
        value = Value.cast(chosen[:have])
        if registered:
            value, overflow, sign, shift = kept(m, f"shift{stage}", value, overflow, sign, shift)
    return value.as_signed(), overflow, sign


class Rescaler(wiring.Component):
    """``h = clamp(((acc + bias) * m >> (s - 1)) + 2*Z, 2*low, 2*high)``: twice the result, with one guard bit.

    ``m`` is ``2**(k-1) + multiplicand_low``: its top bit is implicit. Fully pipelined: one value a cycle,
    `Pipeline.rescaler` from the inputs to ``half_units``; ``zero``, ``low`` and ``high`` must be stable.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        level = signed(config.level_bits)
        super().__init__(
            {
                "acc": In(signed(config.acc_bits)),
                "bias": In(signed(config.bias_width)),
                "multiplicand_low": In(config.rescale_bits - 1),
                "shift": In(config.shift_bits),
                "zero": In(level),
                "low": In(level),
                "high": In(level),
                "half_units": Out(self.half_units_shape(config)),
            }
        )

    @staticmethod
    def half_units_shape(config: AcceleratorConfig) -> Shape:
        """Shape of ``half_units``: twice a level."""
        return signed(config.level_bits + 1)

    def elaborate(self, platform: object) -> Module:
        """Add, multiply, shift with saturation, add the zero level and clamp: registers within and after each."""
        m = Module()
        config, plan = self._config, pipeline(self._config)

        total = delayed(m, self.acc + self.bias, plan.add_bias, "total")
        low = delayed(m, self.multiplicand_low, plan.add_bias, "low")
        shift = delayed(m, self.shift, plan.add_bias + plan.multiply, "shift")
        value = Signal(signed(config.value_bits))
        m.d.comb += value.eq(self._product(m, total, low))

        # beyond this width every result is clamped, whatever the zero level adds
        shifted, overflow, sign = _shift_right(m, Cat(0, value), shift, config.level_bits + 2, plan.shift)
        result = Signal(signed(config.level_bits + 3))
        below, above = Signal(), Signal()
        added, compared, _ = registers_behind(3, plan.clamp)
        parts = (shifted + (self.zero << 1), overflow & sign, overflow & ~sign)
        m.d.comb += [
            part.eq(delayed(m, value, int(added), name))
            for part, value, name in zip((result, below, above), parts, ("result", "below", "above"), strict=True)
        ]
        # half of the result decides: where it equals the clamp, both are right
        half = result >> 1
        known = (half < self.low, half >= self.high, below, above, result)
        less, more, below, above, result = kept(m, "compared", *known) if compared else known
        half_units = Signal.like(self.half_units, reset_less=True)
        m.d.sync += half_units.eq(
            Mux(below | (~above & less), self.low << 1, Mux(above | more, self.high << 1, result))
        )
        m.d.comb += self.half_units.eq(half_units)
        return m

    def _product(self, m: Module, total: Value, low: Value) -> Value:
        """``total`` times ``2**(k-1) + low``, low bits first, as on paper: synthesis would make of a product a larger
        compressor tree."""
        config = self._config
        width, last = config.sum_bits + 1, config.rescale_bits - 1
        product: Value = extend(Mux(low[0], total, 0), width)
        finished: Any = Cat()
        for bit, registered in enumerate(registers_behind(last, pipeline(config).multiply), 1):
            m.submodules[f"partial{bit}"] = adder = MaskedAdder(width)
            m.d.comb += [
                adder.a.eq(extend(product[1:].as_signed(), width)),
                adder.b.eq(extend(total, width)),
                adder.s.eq((Const(1) if bit == last else low[bit]).replicate(width)),
            ]
            finished, product = Cat(finished, product[0]), adder.y
            if registered and bit != last:
                finished, product, total, low = kept(m, f"product{bit}", finished, product, total, low)
                total = total.as_signed()
        return kept(m, "value", Cat(finished, product))[0]
