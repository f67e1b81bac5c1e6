"""Yardsticks: arrays of plain integers, in the ways one would write them, with the ports of `units`."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .units import captured, fields_of

__all__ = ["IntegerArray"]


class IntegerArray(wiring.Component):
    """The yardstick: rows x columns sums of signed products, written the obvious way, ``sum_ + x * w``.

    ``operands``: activations (row, lane), weights (column, lane) in two's complement, then ``valid`` and ``first``.
    ``results``: sums (row, column) modulo ``2**acc_bits``, `latency` cycles later.

    Parameters
    ----------
    rows, columns, lanes : int
        Lanes are a power of two; with one of them there is no adder tree.
    bits : int
        Width of either operand.
    acc_bits : int
    tree_stage : int
        Levels of the adder tree between two registers.
    product_register : bool
        Whether products are registered before they are summed.
    paired : bool
        Whether one multiplier makes two neighbouring lanes' products and their sum:
        ``(x1 * 2**f + x0) * (w0 * 2**f + w1)`` holds ``x0 * w0 + x1 * w1`` in its second field of ``f`` bits.
    """

    def __init__(
        self,
        *,
        rows: int,
        columns: int,
        lanes: int,
        bits: int,
        acc_bits: int,
        tree_stage: int = 2,
        product_register: bool = False,
        paired: bool = False,
    ) -> None:
        self._rows, self._columns, self._lanes = rows, columns, lanes
        self._bits, self._acc_bits = bits, acc_bits
        self._levels = (lanes - 1).bit_length()
        self._stage, self._product_register, self._paired = tree_stage, product_register, paired
        super().__init__(
            {
                "operands": In((rows + columns) * lanes * bits + 2),
                "results": Out(rows * columns * acc_bits),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the operands of a step to the sums that contain it."""
        return 2 + self._tree_registers + self._product_register

    @property
    def _tree_registers(self) -> int:
        return max(0, self._levels - 1) // self._stage

    def elaborate(self, platform: object) -> Module:
        """Multiply, sum in a balanced tree, accumulate."""
        m = Module()
        registers = captured(m, self.operands)
        word = self._lanes * self._bits
        x, w, valid, first = fields_of(registers, self._rows * word, self._columns * word, 1, 1)
        for stage in range(self._tree_registers + self._product_register):
            delayed = Signal(2, name=f"flags{stage}")
            m.d.sync += delayed.eq(Cat(valid, first))
            valid, first = delayed[0], delayed[1]
        sums = []
        for row in range(self._rows):
            for column in range(self._columns):
                name = f"{row}_{column}"
                dot = self._dot(m, x[row * word :][:word], w[column * word :][:word], name)
                sum_ = Signal(signed(self._acc_bits), name=f"sum{name}")
                with m.If(valid):
                    m.d.sync += sum_.eq(Mux(first, 0, sum_) + dot)
                sums.append(sum_)
        m.d.comb += self.results.eq(Cat(sums))
        return m

    def _level_domain(self, level: int) -> str:
        """Where the results of a level of the tree go."""
        return "sync" if (level + 1) % self._stage == 0 and level + 1 < self._levels else "comb"

    def _dot(self, m: Module, x: Value, w: Value, name: str) -> Any:
        places = [slice(lane * self._bits, (lane + 1) * self._bits) for lane in range(self._lanes)]
        lanes = [(x[place].as_signed(), w[place].as_signed()) for place in places]
        products = _pair_sums(lanes, 2 * self._bits + 1) if self._paired else [a * b for a, b in lanes]
        begun = int(self._paired)
        nodes = []
        for number, value in enumerate(products):
            product = Signal(signed(2 * self._bits + begun), name=f"product{name}_{number}")
            registered = self._product_register or (self._paired and self._level_domain(0) == "sync")
            domain = m.d.sync if registered else m.d.comb
            domain += product.eq(value)
            nodes.append(product)
        for level in range(begun, self._levels):
            parents = []
            for index in range(0, len(nodes), 2):
                total = Signal(signed(2 * self._bits + level + 1), name=f"total{name}_{level}_{index // 2}")
                m.d[self._level_domain(level)] += total.eq(nodes[index] + nodes[index + 1])
                parents.append(total)
            nodes = parents
        return nodes[0]


def _pair_sums(lanes: list[tuple[Value, Value]], field: int) -> list[Value]:
    """``x0 * w0 + x1 * w1`` of every two lanes, each from one product."""
    sums = []
    for (x0, w0), (x1, w1) in zip(lanes[::2], lanes[1::2], strict=True):
        product = ((x1 << field) + x0) * ((w0 << field) + w1)
        # a negative lower field has borrowed one
        sums.append((product[field : 2 * field] + product[field - 1])[:field].as_signed())
    return sums
