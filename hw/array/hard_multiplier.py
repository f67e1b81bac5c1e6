"""HardMultiplier: products that share operands, packed into one hard multiplier of the FPGA."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..cells.netlist import NetlistPlatform
from ..spec.config import AcceleratorConfig
from .operand import act_operand, weight_operand

__all__ = ["HARD_MULTIPLIER_MAPS", "HARD_MULTIPLIER_VERILOG", "HardMultiplier", "products_together"]

_A_BITS, _B_BITS = 24, 18
"""Bits of the ports of an instance; no family takes all of both."""

_UNSIGNED_BITS = {"ecp5": (18, 18), "ice40": (16, 16), "xilinx": (24, 17)}
"""Bits of the unsigned numbers that each family's multiplier takes, the wider one first (MULT18X18D, SB_MAC16,
DSP48E1)."""

_TOGETHER = ((2, 2), (2, 1), (1, 2), (1, 1))
"""Rows and columns that may share a multiplier, the most products first."""

HARD_MULTIPLIER_VERILOG = f"""
// unsigned product, meant for a hard multiplier
module narrows_mul (input [{_A_BITS - 1}:0] a, input [{_B_BITS - 1}:0] b, output [{_A_BITS + _B_BITS - 1}:0] p);
    assign p = a * b;
endmodule
"""
"""Portable definition of the instances in generated Verilog."""


def _techmap(fabric: str, cell: str, a_bits: int, b_bits: int) -> str:
    a, b = _UNSIGNED_BITS[fabric]
    return rf"""
module narrows_mul (a, b, p);
    input [{_A_BITS - 1}:0] a;
    input [{_B_BITS - 1}:0] b;
    output [{_A_BITS + _B_BITS - 1}:0] p;
    wire [{a_bits + b_bits - 1}:0] y;
    assign p = y;
    \$__MUL{cell} #(.A_SIGNED(0), .B_SIGNED(0), .A_WIDTH({a_bits}), .B_WIDTH({b_bits}), .Y_WIDTH({a_bits + b_bits}))
        mul (.A({_widened("a", a, a_bits)}), .B({_widened("b", b, b_bits)}), .Y(y));
endmodule
"""


def _widened(port: str, bits: int, width: int) -> str:
    zeros = f"{width - bits}'b0, " if width > bits else ""
    return f"{{{zeros}{port}[{bits - 1}:0]}}"


HARD_MULTIPLIER_MAPS = {
    "ecp5": _techmap("ecp5", "18X18", 18, 18),
    "ice40": _techmap("ice40", "16X16", 16, 16),
    "xilinx": _techmap("xilinx", "25X18", 25, 18),
}
"""Yosys techmaps from the instances to the generic multiplier that each family's own map turns into its cell."""


def products_together(config: AcceleratorConfig) -> tuple[int, int]:
    """Rows and columns whose products of a lane one hard multiplier of the family makes: as many as find room."""
    return next(
        (rows, columns)
        for rows, columns in _TOGETHER
        if rows <= config.rows
        and columns <= config.columns
        and all(
            used <= room
            for used, room in zip(
                sorted(_packed_bits(config, rows, columns), reverse=True), _UNSIGNED_BITS[config.fabric], strict=True
            )
        )
    )


def _packed_bits(config: AcceleratorConfig, rows: int, columns: int) -> tuple[int, int]:
    """Bits of the levels of so many activations and weights, each so far apart that no product reaches the next."""
    x, w = ((-digits.base.bottom).bit_length() for digits in (config.digits, config.weight_digits))
    return x + (rows - 1) * config.product_bits, w + (columns - 1) * rows * config.product_bits


class HardMultiplier(wiring.Component):
    """``products[c][r] = level(x[r]) * level(w[c])`` for magnitudes of `products_together`; combinational.

    ``sum of level(x[r]) * 2**(r * product_bits)`` times ``sum of level(w[c]) * 2**(c * rows * product_bits)`` holds all
    products side by side, since none outgrows its field. In a netlist it is an instance of ``narrows_mul``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        rows, columns = products_together(config)
        products = data.ArrayLayout(config.product_bits, rows)
        super().__init__(
            {
                "x": In(data.ArrayLayout(act_operand(config).magnitude, rows)),
                "w": In(data.ArrayLayout(weight_operand(config).magnitude, columns)),
                "products": Out(data.ArrayLayout(products, columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Pack, multiply, split."""
        m = Module()
        config = self._config
        rows = products_together(config)[0]
        x_level, w_level = act_operand(config).level_of, weight_operand(config).level_of
        x = _side_by_side([x_level(magnitude) for magnitude in self.x], config.product_bits)
        w = _side_by_side([w_level(magnitude) for magnitude in self.w], rows * config.product_bits)
        a, b, product = Signal(_A_BITS), Signal(_B_BITS), Signal(_A_BITS + _B_BITS)
        m.d.comb += [
            a.eq(x if len(x) >= len(w) else w),  # the first port is the wider one
            b.eq(w if len(x) >= len(w) else x),
            self.products.as_value().eq(product),
        ]
        if isinstance(platform, NetlistPlatform):
            m.submodules.mul = Instance("narrows_mul", i_a=a, i_b=b, o_p=product)
        else:
            m.d.comb += product.eq(a * b)
        return m


def _side_by_side(levels: Sequence[Value], distance: int) -> Value:
    """Levels in one number, so many bits from one to the next."""
    apart = [Cat(level, Const(0, distance - len(level))) for level in levels[:-1]]
    return Cat(*apart, levels[-1])
