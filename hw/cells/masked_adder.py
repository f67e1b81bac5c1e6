"""MaskedAdder: adds an operand masked bit by bit to another one, perhaps inverted, on a carry chain of its own."""

from __future__ import annotations

from amaranth.hdl import Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .netlist import NetlistPlatform

__all__ = ["MASKED_ADDER_ECP5", "MASKED_ADDER_VERILOG", "MaskedAdder"]

MASKED_ADDER_VERILOG = """
// y = (flip ? ~a : a) + (b & s)
module narrows_addmasked #(parameter WIDTH = 1) (
    input [WIDTH-1:0] a, input [WIDTH-1:0] b, input [WIDTH-1:0] s, input flip, output [WIDTH-1:0] y
);
    assign y = (a ^ {WIDTH{flip}}) + (b & s);
endmodule
"""
"""Portable definition of the instances in generated Verilog."""

MASKED_ADDER_ECP5 = r"""
// mask and inversion fold into the carry cell: it propagates (a ^ flip) ^ (b & s), and generates a ^ flip if that is 0
module narrows_addmasked (a, b, s, flip, y);
    parameter WIDTH = 1;
    input [WIDTH-1:0] a, b, s;
    input flip;
    output [WIDTH-1:0] y;
    localparam PAIRS = (WIDTH + 1) / 2;
    wire [2*PAIRS-1:0] wide_a = a, wide_b = b, wide_s = s, wide_y;
    wire [PAIRS:0] carry;
    assign carry[0] = 1'b0;
    assign y = wide_y[WIDTH-1:0];
    genvar i;
    generate
        for (i = 0; i < PAIRS; i = i + 1) begin : pair
            CCU2C #(.INIT0(16'h9666), .INIT1(16'h9666), .INJECT1_0("NO"), .INJECT1_1("NO")) cell (
                .CIN(carry[i]), .COUT(carry[i+1]),
                .A0(wide_a[2*i]), .B0(flip), .C0(wide_b[2*i]), .D0(wide_s[2*i]), .S0(wide_y[2*i]),
                .A1(wide_a[2*i+1]), .B1(flip), .C1(wide_b[2*i+1]), .D1(wide_s[2*i+1]), .S1(wide_y[2*i+1])
            );
        end
    endgenerate
endmodule
"""
"""Yosys techmap of the instances to carry cells of ECP5."""


class MaskedAdder(wiring.Component):
    """``y = (~a if flip else a) + (b & s)``, modulo ``2**width``; combinational.

    In a netlist (`NetlistPlatform`) it is an instance of ``narrows_addmasked``, so that synthesis can map it whole.

    Parameters
    ----------
    width : int
        Bits of operands, mask and result.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        super().__init__({"a": In(width), "b": In(width), "s": In(width), "flip": In(1), "y": Out(width)})

    def elaborate(self, platform: object) -> Module:
        """An instance for netlists, an expression for Amaranth's simulator."""
        m = Module()
        if isinstance(platform, NetlistPlatform):
            m.submodules.addmasked = Instance(
                "narrows_addmasked",
                p_WIDTH=self._width,
                i_a=self.a,
                i_b=self.b,
                i_s=self.s,
                i_flip=self.flip,
                o_y=self.y,
            )
        else:
            m.d.comb += self.y.eq((self.a ^ self.flip.replicate(self._width)) + (self.b & self.s))
        return m
