"""Rescaler: accumulator, bias and a narrow multiplicand to a level in half units, clamped (one rounding later)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.adder import extend
from ..cells.masked_adder import MaskedAdder
from ..spec.config import AcceleratorConfig

__all__ = ["Rescaler"]


def _shift_right(m: Module, value: Value, shift: Value, width: int) -> tuple[Value, Value]:
    """Arithmetic right shift to ``width`` bits, and whether the result needs more.

    The largest step comes first, and after each only the bits that smaller steps can still bring down are kept: what
    lies above them must repeat the sign.
    """
    sign = value[-1]
    overflow = Value.cast(0)
    for stage in reversed(range(len(shift))):
        step = 1 << stage
        moved = Cat(value[step:], sign.replicate(min(step, len(value))))[: len(value)]
        chosen = Signal(len(value), name=f"shifted{stage}")
        m.d.comb += chosen.eq(Mux(shift[stage], moved, value))
        kept = min(len(value), width + step - 1)
        overflow = overflow | (chosen[kept - 1 :] != sign.replicate(len(value) - kept + 1))
        value = Value.cast(chosen[:kept])
    return value.as_signed(), overflow


class Rescaler(wiring.Component):
    """``h = clamp(((acc + bias) * m >> (s - 1)) + 2*Z, 2*low, 2*high)``: twice the result, with one guard bit.

    ``m`` is ``2**(k-1) + multiplicand_low``: its top bit is implicit. Fully pipelined: one value a cycle, `LATENCY`
    cycles from the inputs to ``half_units``; ``zero``, ``low`` and ``high`` must be stable.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    LATENCY = 4

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
        """Add, multiply, shift with saturation, add the zero level and clamp: a register after each."""
        m = Module()
        config = self._config

        total = Signal(signed(config.sum_bits), reset_less=True)
        low_1 = Signal.like(self.multiplicand_low, reset_less=True)
        shift_1, shift_2 = Signal.like(self.shift, reset_less=True), Signal.like(self.shift, reset_less=True)
        m.d.sync += [total.eq(self.acc + self.bias), low_1.eq(self.multiplicand_low), shift_1.eq(self.shift)]

        # low bits first, as on paper; synthesis would make a larger compressor tree of a product
        width = config.sum_bits + 1
        product = extend(Mux(low_1[0], total, 0), width)
        finished = []
        for bit in range(1, config.rescale_bits):
            m.submodules[f"partial{bit}"] = adder = MaskedAdder(width)
            m.d.comb += [
                adder.a.eq(extend(product[1:].as_signed(), width)),
                adder.b.eq(extend(total, width)),
                adder.s.eq(1 if bit == config.rescale_bits - 1 else low_1[bit]),
            ]
            finished.append(product[0])
            product = adder.y
        value = Signal(signed(config.value_bits), reset_less=True)
        m.d.sync += [value.eq(Cat(*finished, product)), shift_2.eq(shift_1)]

        # beyond this width every result is clamped, whatever the zero level adds
        near, overflow = _shift_right(m, Cat(0, value), shift_2, config.level_bits + 2)
        shifted = Signal(signed(config.level_bits + 2), reset_less=True)
        below, above = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [shifted.eq(near), below.eq(overflow & value[-1]), above.eq(overflow & ~value[-1])]

        result = Signal(signed(config.level_bits + 3))
        m.d.comb += result.eq(shifted + (self.zero << 1))
        # half of the result decides: where it equals the clamp, both are right
        below_low, above_high = (result >> 1) < self.low, (result >> 1) >= self.high
        half_units = Signal.like(self.half_units, reset_less=True)
        m.d.sync += half_units.eq(
            Mux(below | (~above & below_low), self.low << 1, Mux(above | above_high, self.high << 1, result))
        )
        m.d.comb += self.half_units.eq(half_units)
        return m
