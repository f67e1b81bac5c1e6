"""MacArray: rows x columns dot products with their accumulators."""

from __future__ import annotations

from itertools import product

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from ..cells.adder import add, extend
from ..cells.copies import copies_of
from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline
from .dot import DotProduct
from .hard_multiplier import HardMultiplier, products_together
from .operand import act_operand, weight_operand

__all__ = ["STEP_FLAGS", "MacArray", "Operands", "Sums", "flag_copies", "operand_copies"]

STEP_FLAGS = data.StructLayout(
    {
        "valid": 1,  # a step at all
        "first": 1,  # start a new sum
        "shift": 1,  # weigh what was summed so far by one digit more
        "last": 1,  # the sum is complete
    }
)
"""What a step asks of the accumulators."""


def operand_copies(config: AcceleratorConfig) -> int:
    """Copies of every operand, each for a share of the rows or columns that take it: as many as registers on its way
    can double to, up to one for each dot product."""
    plan = pipeline(config)
    if not plan.operand_near:
        return 1
    most = 1 << (max(config.rows, config.columns) - 1).bit_length()
    return min(most, 1 << (plan.codes + plan.recode + plan.operand_near))


def flag_copies(config: AcceleratorConfig) -> int:
    """Copies of a step's flags at the accumulators, and of ``done``: up to 16 where operands are copied, too, if the
    flags pass as many registers on their way as it takes."""
    return min(16, 1 << pipeline(config).dot_product) if pipeline(config).operand_near else 1


class Operands(Signature):
    """To the array: the operands of a step. They come `operand_copies` times, all words and then all words again.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        x, w = (data.ArrayLayout(operand(config).layout, config.lanes) for operand in (act_operand, weight_operand))
        super().__init__(
            {
                "x": Out(data.ArrayLayout(x, config.rows * operand_copies(config))),
                "w": Out(data.ArrayLayout(w, config.columns * operand_copies(config))),
                "flags": Out(STEP_FLAGS),
            }
        )


class Sums(Signature):
    """From the array: all finished sums, each inverted if its ``inverted`` is high, while ``done`` is high; they change
    in the next cycle. All bits of ``done`` are alike: there are `flag_copies`, each for as many of the sums, which are
    counted row by row.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "sums": Out(data.ArrayLayout(data.ArrayLayout(config.acc_bits, config.columns), config.rows)),
                "inverted": Out(data.ArrayLayout(data.ArrayLayout(1, config.columns), config.rows)),
                "done": Out(flag_copies(config)),
            }
        )


class MacArray(wiring.Component):
    """Output-stationary array: every step adds one dot product to each accumulator, modulo ``2**acc_bits``.

    Row r, column c computes ``sum_l level(x[r][l]) * level(w[c][l])``; columns of the second part take the second copy
    of ``x``, rows the second of ``w``. ``results`` come `Pipeline.array` after the operands of the step flagged
    ``last``. No stall.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__({"operands": In(Operands(config)), "results": Out(Sums(config))})

    def elaborate(self, platform: object) -> Module:
        """Build the dot products, delay the flags alongside, accumulate."""
        m = Module()
        config = self._config

        step = self.operands.flags.as_value()
        copies = copies_of(m, step, pipeline(config).dot_product, "flags", most=flag_copies(config))
        near = [data.View(STEP_FLAGS, copy) for copy in copies]
        m.d.sync += self.results.done.eq(Cat(flags.valid & flags.last for flags in near))

        dots: dict[tuple[int, int], DotProduct] = {}
        for row in range(config.rows):
            for column in range(config.columns):
                dots[row, column] = DotProduct(config)
                m.submodules[f"dot{row}_{column}"] = dot = dots[row, column]
                m.d.comb += [dot.x.eq(self._x(row, column)), dot.w.eq(self._w(row, column))]
                flags = near[(row * config.columns + column) * len(near) // (config.rows * config.columns)]
                self._accumulate(m, platform, flags, row, column, dot)

        # neighbouring rows and columns share a hard multiplier, since they share operands
        rows, columns = products_together(config)
        for top, left in product(range(0, config.rows, rows), range(0, config.columns, columns)):
            for lane in range(config.dsp_lanes):
                m.submodules[f"hard{top}_{left}_{lane}"] = hard = HardMultiplier(config)
                for row, column in product(range(rows), range(columns)):
                    dot = dots.get((top + row, left + column))
                    if dot is not None:
                        m.d.comb += [
                            hard.x[row].eq(self._x(top + row, left)[lane].magnitude),
                            hard.w[column].eq(self._w(top, left + column)[lane].magnitude),
                            dot.hard_products[lane].eq(hard.products[column][row]),
                        ]
        return m

    def _x(self, row: int, column: int) -> data.View:
        copy = column * operand_copies(self._config) // self._config.columns
        return self.operands.x[copy * self._config.rows + row]

    def _w(self, row: int, column: int) -> data.View:
        copy = row * operand_copies(self._config) // self._config.rows
        return self.operands.w[copy * self._config.columns + column]

    def _accumulate(
        self, m: Module, platform: object, flags: data.View, row: int, column: int, dot: DotProduct
    ) -> None:
        """Add a dot product to its sum."""
        width, shift = self._config.acc_bits, self._config.digit_shift
        name = f"{row}_{column}"
        sum_ = Signal(width, name=f"sum{name}", reset_less=True)
        inverted = Signal(name=f"inverted{name}", reset_less=True)
        addend = extend(dot.total, width)
        m.d.comb += [self.results.sums[row][column].eq(sum_), self.results.inverted[row][column].eq(inverted)]
        if self._config.fabric == "xilinx":
            # a - b = ~(~a + b): what stands for a is inverted at need where it is chosen, b comes as it is
            before = Mux(flags.shift, Cat(inverted.replicate(shift), sum_), sum_)[:width]
            start = Mux(flags.first, 0, before)
            opposed = dot.negative ^ (inverted & ~flags.first)
            after = add(m, platform, f"after{name}", start, addend, flip_a=opposed)
            with m.If(flags.valid):
                m.d.sync += [sum_.eq(after), inverted.eq(dot.negative)]
            return
        start = Mux(flags.first, 0, Mux(flags.shift, sum_ << shift, sum_))[:width]
        after = add(m, platform, f"after{name}", start, addend, flip_b=dot.inverted, carry=dot.negative)
        with m.If(flags.valid):
            m.d.sync += sum_.eq(after)
