"""AddSub: the one adder of the array, adding or subtracting by a sign bit on a single carry chain."""

from __future__ import annotations

from amaranth.hdl import Cat, Instance, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .netlist import NetlistPlatform

__all__ = ["ADDSUB_ECP5", "ADDSUB_VERILOG", "AddSub", "extend"]

ADDSUB_VERILOG = """
// y = s ? a - b : a + b; the carry enters through an extra low bit, so that this is one adder
module narrows_addsub #(parameter WIDTH = 1) (
    input [WIDTH-1:0] a, input [WIDTH-1:0] b, input s, output [WIDTH-1:0] y
);
    wire [WIDTH:0] total = {a, 1'b1} + {b ^ {WIDTH{s}}, s};
    assign y = total[WIDTH:1];
endmodule
"""
"""Portable definition of the instances in generated Verilog."""

ADDSUB_ECP5 = r"""
// the inverter of b folds into the carry cell (CCU2C), which the plain form leaves in front of it
module narrows_addsub (a, b, s, y);
    parameter WIDTH = 1;
    input [WIDTH-1:0] a, b;
    input s;
    output [WIDTH-1:0] y;
    wire [WIDTH-1:0] x, co;
    \$alu #(.A_SIGNED(0), .B_SIGNED(0), .A_WIDTH(WIDTH), .B_WIDTH(WIDTH), .Y_WIDTH(WIDTH))
        alu (.A(a), .B(b), .CI(s), .BI(s), .X(x), .Y(y), .CO(co));
endmodule
"""
"""Yosys techmap that gives the instances an arithmetic cell with an inverting operand."""


def extend(value: Value, width: int) -> Value:
    """Low ``width`` bits of ``value``, sign- or zero-extended by its own signedness."""
    have = len(value)
    if have >= width:
        return value[:width]
    fill = value[-1] if value.shape().signed else Value.cast(0)
    return Cat(value, fill.replicate(width - have))


class AddSub(wiring.Component):
    """``y = a - b`` if ``s`` else ``a + b``, modulo ``2**width``; combinational.

    In a netlist (`NetlistPlatform`) it is an instance of ``narrows_addsub``, so that synthesis can map it as a whole.

    Parameters
    ----------
    width : int
        Bits of operands and result.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        super().__init__({"a": In(width), "b": In(width), "s": In(1), "y": Out(width)})

    def elaborate(self, platform: object) -> Module:
        """An instance for netlists, an expression for Amaranth's simulator."""
        m = Module()
        if isinstance(platform, NetlistPlatform):
            m.submodules.addsub = Instance(
                "narrows_addsub",
                p_WIDTH=self._width,
                i_a=self.a,
                i_b=self.b,
                i_s=self.s,
                o_y=self.y,
            )
        else:
            total = Signal(self._width + 1)
            m.d.comb += [
                total.eq(Cat(1, self.a) + Cat(self.s, self.b ^ self.s.replicate(self._width))),
                self.y.eq(total[1:]),
            ]
        return m
