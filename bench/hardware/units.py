"""Units whose cost is compared, each as a component with two ports: ``operands`` in, ``results`` out."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from narrows.hw.array import STEP_FLAGS, MacArray
from narrows.hw.core import Core
from narrows.hw.encoder import Encoder
from narrows.hw.operand import recode
from narrows.hw.rescaler import Rescaler
from narrows.hw.spec.config import CODE_BITS, AcceleratorConfig

__all__ = ["CoreUnit", "DybitArray", "IntegerArray", "RescalerChannel"]


def _take(fields: Value, *widths: int) -> list[Value]:
    """Consecutive fields, the first in the low bits."""
    parts, offset = [], 0
    for width in widths:
        parts.append(fields[offset : offset + width])
        offset += width
    return parts


def _captured(m: Module, value: Value) -> Signal:
    """``value`` one cycle later, so that every path of a unit starts at a register."""
    register = Signal(len(value), name="operands_register")
    m.d.sync += register.eq(value)
    return register


class DybitArray(wiring.Component):
    """The core's array with its edges: registers of native codes, predecoding into operand registers, `MacArray`.

    ``operands``: activation codes (row, lane), weight codes (column, lane), `STEP_FLAGS`. ``results``: sums (row,
    column) and ``done``, `latency` cycles later.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._codes = (config.rows * config.lanes, config.columns * config.lanes)
        self._array = MacArray(config)
        super().__init__(
            {
                "operands": In(CODE_BITS * sum(self._codes) + STEP_FLAGS.size),
                "results": Out(config.rows * config.columns * config.acc_bits + 1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the operands of the last step to its sums."""
        return self._array.latency + 2

    def elaborate(self, platform: object) -> Module:
        """Two ranks of registers in front of the array, as behind the memories of a core."""
        m = Module()
        m.submodules.array = array = self._array
        registers = _captured(m, self.operands)
        x, w, flags = _take(registers, *(CODE_BITS * count for count in self._codes), STEP_FLAGS.size)
        lanes = self._config.lanes
        for words, operands, codes in ((array.x, self._config.rows, x), (array.w, self._config.columns, w)):
            for word in range(operands):
                for lane in range(lanes):
                    operand = Signal.like(words[word][lane], name=f"operand{word}_{lane}")
                    m.d.sync += operand.eq(recode(codes.word_select(word * lanes + lane, CODE_BITS)))
                    m.d.comb += words[word][lane].eq(operand)
        step = Signal(STEP_FLAGS)
        m.d.sync += step.eq(flags)
        m.d.comb += [array.flags.eq(step), self.results.eq(Cat(array.sums.as_value(), array.done))]
        return m


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
    ) -> None:
        self._rows, self._columns, self._lanes = rows, columns, lanes
        self._bits, self._acc_bits = bits, acc_bits
        self._levels = (lanes - 1).bit_length()
        self._stage, self._product_register = tree_stage, product_register
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
        registers = _captured(m, self.operands)
        word = self._lanes * self._bits
        x, w, valid, first = _take(registers, self._rows * word, self._columns * word, 1, 1)
        for stage in range(self._tree_registers + self._product_register):
            delayed = Signal(2, name=f"flags{stage}")
            m.d.sync += delayed.eq(Cat(valid, first))
            valid, first = delayed[0], delayed[1]
        sums = []
        for row in range(self._rows):
            for column in range(self._columns):
                total = self._dot(m, x[row * word :][:word], w[column * word :][:word], f"{row}_{column}")
                sum_ = Signal(signed(self._acc_bits), name=f"sum{row}_{column}")
                with m.If(valid):
                    m.d.sync += sum_.eq(Mux(first, 0, sum_) + total)
                sums.append(sum_)
        m.d.comb += self.results.eq(Cat(sums))
        return m

    def _dot(self, m: Module, x: Value, w: Value, name: str) -> Value:
        nodes = []
        for lane in range(self._lanes):
            place = slice(lane * self._bits, (lane + 1) * self._bits)
            product = Signal(signed(2 * self._bits), name=f"product{name}_{lane}")
            domain = m.d.sync if self._product_register else m.d.comb
            domain += product.eq(x[place].as_signed() * w[place].as_signed())
            nodes.append(product)
        for level in range(self._levels):
            registered = (level + 1) % self._stage == 0 and level + 1 < self._levels
            domain = m.d.sync if registered else m.d.comb
            parents = []
            for index in range(0, len(nodes), 2):
                total = Signal(signed(2 * self._bits + level + 1), name=f"total{name}_{level}_{index // 2}")
                domain += total.eq(nodes[index] + nodes[index + 1])
                parents.append(total)
            nodes = parents
        return nodes[0]


class RescalerChannel(wiring.Component):
    """One channel of the drain: `Rescaler` and `Encoder`, their inputs from registers.

    ``operands``: the rescaler's inputs in the order of its ports, then the encoder's but ``half_units``. ``results``:
    the native code, `LATENCY` cycles later.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    LATENCY = 1 + Rescaler.LATENCY + Encoder.LATENCY

    def __init__(self, config: AcceleratorConfig) -> None:
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
            encoder.dybit,
            encoder.width,
            encoder.planes,
        ]
        super().__init__({"operands": In(sum(len(port) for port in self._inputs)), "results": Out(CODE_BITS)})

    def elaborate(self, platform: object) -> Module:
        """Registers, rescaler, encoder."""
        m = Module()
        m.submodules.rescaler, m.submodules.encoder = self._rescaler, self._encoder
        m.d.comb += [
            Cat(self._inputs).eq(_captured(m, self.operands)),
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
        members = self._core.signature.members.items()
        self._inputs = [getattr(self._core, name) for name, member in members if member.flow == In]
        self._outputs = [getattr(self._core, name) for name, member in members if member.flow == Out]
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
        m.d.comb += [Cat(self._inputs).eq(_captured(m, self.operands)), self.results.eq(Cat(self._outputs))]
        return m
