"""Encoder: half units to the nearest level, and a level to the base code of one digit plane."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.delay_line import delayed, kept
from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline, registers_behind
from .rescaler import Rescaler

__all__ = ["Encoder"]


def _patterns(values: Sequence[int], width: int) -> list[str]:
    """Patterns of ``width`` bits that tell increasing values apart, each by the few bits that decide from the top."""
    if width == 0 or len(values) == 1:
        return ["-" * width] * len(values)
    half = 1 << (width - 1)
    low, high = [value for value in values if value < half], [value - half for value in values if value >= half]
    marks = "01" if low and high else "--"
    return [
        mark + pattern
        for mark, part in zip(marks, (low, high), strict=True)
        for pattern in (_patterns(part, width - 1) if part else [])
    ]


class Encoder(wiring.Component):
    """Nearest level of a value in half units, ties toward +infinity, as the base code of digit plane ``plane``.

    ``half_units`` must already lie between twice the lowest and twice the highest wanted level. With
    tables, ``index`` is the rounded integer, sign above 7 bits of magnitude, `Pipeline.round` after ``half_units``, and
    ``entry``, sign above magnitude, `Pipeline.table_read` later, replaces the level while ``look_up`` is high.

    Fully pipelined: `Pipeline.encoder` from ``half_units`` and ``plane`` to ``code``; ``uneven``, ``rounding`` and
    ``planes`` must be stable. ``rounding`` is the number of one of the core's (`AcceleratorConfig.roundings`), and
    matters where levels are ``uneven``.

    The nearest level is found by adding half a step, the distance of levels in the octave that the magnitude has
    reached, and clearing what is below a step (`spec.rounding`).

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        table_ports = {"index": Out(8), "look_up": In(1), "entry": In(config.level_bits)}
        super().__init__(
            {
                "half_units": In(Rescaler.half_units_shape(config)),
                "plane": In(range(config.planes)),
                "uneven": In(1),
                "rounding": In(4),
                "planes": In(range(config.planes + 1)),
                "code": Out(config.digits.base.bits),
                **(table_ports if config.tables else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Round, register, then pick and recode the digit, register."""
        m = Module()
        digits, planes, level_max = self._config.digits, self._config.planes, self._config.level_max
        plan = pipeline(self._config)
        bits = self._config.level_bits  # of twice a level's magnitude
        negative = self.half_units[-1]
        magnitude = Signal(bits)
        m.d.comb += magnitude.eq(Mux(negative, ~self.half_units, self.half_units))

        # half a step in half units is a step in units
        roundings = self._config.roundings
        steps = sorted({step for rounding in roundings for start, step in rounding.octaves if start <= level_max})
        reached = Signal(len(steps) + 1)  # bit i: levels are steps[i] or more apart here
        with m.If(self.uneven), m.Switch(self.rounding):
            for rounding in roundings:
                with m.Case(rounding.number):
                    for i, least in enumerate(steps):
                        start = next((start for start, step in rounding.octaves if step >= least), level_max + 1)
                        if start <= level_max:
                            m.d.comb += reached[i].eq(magnitude[start.bit_length() :].any())
        if registers_behind(2, plan.round)[0]:
            magnitude, reached, negative = kept(m, "rounding", magnitude, reached, negative)
        half_step = Signal(bits)
        keep = Signal(bits + 1)
        m.d.comb += half_step[0].eq(~reached[0])
        for i, step in enumerate(steps):
            m.d.comb += half_step[step.bit_length() - 1].eq(reached[i] & ~reached[i + 1])
        for place in range(1, bits + 1):
            coarser = next((i for i, step in enumerate(steps) if step >> place), len(steps))
            m.d.comb += keep[place].eq(~reached[coarser])
        rounded, nearest = Signal(bits + 1), Signal(bits - 1)
        m.d.comb += [rounded.eq(magnitude + half_step), nearest.eq((rounded & keep) >> 1)]
        level, negative = kept(m, "rounded", nearest, negative)
        late = plan.round + plan.table_read
        plane_1 = delayed(m, self.plane, late, "plane")
        top = delayed(m, self.plane + 1 == self.planes, late, "top")
        [one_plane] = kept(m, "one_plane", self.planes == 1)  # stable, but its register is far
        if self._config.tables:
            m.d.comb += self.index.eq(Cat(level[:7].as_unsigned(), Const(0, max(0, 7 - len(level))), negative))
            level, negative = (
                Mux(self.look_up, entry, delayed(m, value, plan.table_read, name))
                for entry, value, name in ((self.entry[:-1], level, "level"), (self.entry[-1], negative, "negative"))
            )

        digit = Signal(digits.base.magnitude_bits)
        opposed = Signal()
        magnitudes = digits.base.magnitudes
        lowest = Signal()  # a level whose magnitude code is 0 though it is not
        with m.If(one_plane):
            if digits.base.octaves:
                with m.Switch(level):
                    for code, pattern in enumerate(_patterns(magnitudes, len(level))):
                        with m.Case(pattern):
                            m.d.comb += digit.eq(code)
            else:
                m.d.comb += digit.eq(level)
                if digits.base.whole:
                    m.d.comb += lowest.eq(level[len(digit) :].any())
        with m.Else():
            shift, reach_bits = digits.shift, digits.reach.bit_length()
            padded = Cat(Const(0, 1), level, Const(0, shift * planes + reach_bits))
            window = Signal(reach_bits + 1)
            with m.Switch(plane_1):
                for plane in range(planes):
                    with m.Case(plane):
                        m.d.comb += window.eq(padded[shift * plane :][: reach_bits + 1])
            # the recoded digit: its bits, plus the bit below, minus the radix times the highest (not in the top plane)
            plain = Signal(reach_bits + 1)
            m.d.comb += plain.eq(Cat(window[1 : shift + 1], Mux(top, window[shift + 1 :], 0)) + window[0])
            with m.If(window[shift] & ~top):
                m.d.comb += [digit.eq((1 << shift) - plain), opposed.eq(1)]
            with m.Else():
                m.d.comb += digit.eq(plain)
        m.d.sync += self.code.eq(Cat(digit, (negative ^ opposed) & (digit.any() | lowest)))
        return m
