"""HardMultiplier: two products that share an operand, packed into one hard multiplier of the FPGA."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Instance, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..cells.netlist import NetlistPlatform
from ..spec.config import AcceleratorConfig
from .operand import level_of, magnitude_layout

__all__ = ["HARD_MULTIPLIER_MAPS", "HARD_MULTIPLIER_VERILOG", "HardMultiplier"]

_PORT_BITS = 16

HARD_MULTIPLIER_VERILOG = f"""
// unsigned product, meant for a hard multiplier
module narrows_mul (input [{_PORT_BITS - 1}:0] a, input [{_PORT_BITS - 1}:0] b, output [{2 * _PORT_BITS - 1}:0] p);
    assign p = a * b;
endmodule
"""
"""Portable definition of the instances in generated Verilog."""


def _techmap(cell: str, a_bits: int, b_bits: int) -> str:
    return rf"""
module narrows_mul (a, b, p);
    input [{_PORT_BITS - 1}:0] a, b;
    output [{2 * _PORT_BITS - 1}:0] p;
    wire [{a_bits + b_bits - 1}:0] y;
    assign p = y;
    \$__MUL{cell} #(.A_SIGNED(0), .B_SIGNED(0), .A_WIDTH({a_bits}), .B_WIDTH({b_bits}), .Y_WIDTH({a_bits + b_bits}))
        mul (.A({{{{{a_bits - _PORT_BITS}{{1'b0}}}}, a}}), .B({{{{{b_bits - _PORT_BITS}{{1'b0}}}}, b}}), .Y(y));
endmodule
"""


HARD_MULTIPLIER_MAPS = {
    "ecp5": _techmap("18X18", 18, 18),
    "ice40": _techmap("16X16", 16, 16).replace("{{0{1'b0}}, a}", "a").replace("{{0{1'b0}}, b}", "b"),
    "xilinx": _techmap("25X18", 25, 18),
}
"""Yosys techmaps from the instances to the generic multiplier that each family's own map turns into its cell."""


class HardMultiplier(wiring.Component):
    """``products[i] = level(x[i]) * level(w)`` for two magnitudes ``x``; combinational.

    ``level(x[0]) + level(x[1]) * 2**product_bits`` times ``level(w)`` holds both products side by side, since neither
    outgrows its field. In a netlist it is an instance of ``narrows_mul``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._base = config.digits.base
        self._product_bits = config.product_bits
        magnitude = magnitude_layout(self._base)
        super().__init__(
            {
                "x": In(data.ArrayLayout(magnitude, 2)),
                "w": In(magnitude),
                "products": Out(data.ArrayLayout(config.product_bits, 2)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Pack, multiply, split."""
        m = Module()
        a, b, product = Signal(_PORT_BITS), Signal(_PORT_BITS), Signal(2 * _PORT_BITS)
        first, second, weight = (level_of(self._base, magnitude) for magnitude in (*self.x, self.w))
        m.d.comb += [
            a.eq(Cat(first, Const(0, self._product_bits - len(first)), second)),
            b.eq(weight),
            self.products.as_value().eq(product),
        ]
        if isinstance(platform, NetlistPlatform):
            m.submodules.mul = Instance("narrows_mul", i_a=a, i_b=b, o_p=product)
        else:
            m.d.comb += product.eq(a * b)
        return m
