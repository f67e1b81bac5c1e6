"""add: the one adder of the array, whose operands and result may be inverted, on a single carry chain."""

from __future__ import annotations

from amaranth.hdl import Cat, Instance, Module, Signal, Value, ValueLike

from .netlist import NetlistPlatform

__all__ = ["ADD_MAPS", "ADD_VERILOG", "add", "extend"]

ADD_VERILOG = """
// y = ((a ^ flip_a) + (b ^ flip_b) + carry) ^ flip_y; the carry enters through an extra low bit: this is one adder
module narrows_add #(parameter WIDTH = 1) (
    input [WIDTH-1:0] a, input [WIDTH-1:0] b, input flip_a, input flip_b, input carry, input flip_y,
    output [WIDTH-1:0] y
);
    wire [WIDTH:0] total = {a ^ {WIDTH{flip_a}}, 1'b1} + {b ^ {WIDTH{flip_b}}, carry};
    assign y = total[WIDTH:1] ^ {WIDTH{flip_y}};
endmodule
"""
"""Portable definition of the instances in generated Verilog."""

_PORTS = """
module narrows_add (a, b, flip_a, flip_b, carry, flip_y, y);
    parameter WIDTH = 1;
    input [WIDTH-1:0] a, b;
    input flip_a, flip_b, carry, flip_y;
    output [WIDTH-1:0] y;
    genvar i;
"""

_ECP5 = """
    // a cell (CCU2C) adds two bits, each of any function of four inputs
    wire _TECHMAP_FAIL_ = WIDTH <= 4;
    localparam CELLS = (WIDTH + 1) / 2;
    wire [2*CELLS-1:0] x = a, w = b, z;
    wire [CELLS:0] c;
    assign c[0] = carry;
    generate for (i = 0; i < CELLS; i = i + 1) begin:slice
        CCU2C #(.INIT0(16'h6996), .INIT1(16'h6996), .INJECT1_0("NO"), .INJECT1_1("NO")) cell_i (
            .CIN(c[i]), .COUT(c[i+1]),
            .A0(x[2*i]), .B0(flip_a), .C0(w[2*i]), .D0(flip_b), .S0(z[2*i]),
            .A1(x[2*i+1]), .B1(flip_a), .C1(w[2*i+1]), .D1(flip_b), .S1(z[2*i+1])
        );
    end endgenerate
    assign y = z[WIDTH-1:0] ^ {WIDTH{flip_y}};
endmodule
"""

_ICE40 = """
    // the look-up table that adds has one more input, which the carry does not see
    wire _TECHMAP_FAIL_ = WIDTH <= 2;
    wire [WIDTH-1:0] x = a ^ {WIDTH{flip_a}}, w = b ^ {WIDTH{flip_b}};
    wire [WIDTH:0] c;
    assign c[0] = carry;
    generate for (i = 0; i < WIDTH; i = i + 1) begin:slice
        SB_LUT4 #(.LUT_INIT(16'h6996)) sum_i (.I0(flip_y), .I1(x[i]), .I2(w[i]), .I3(c[i]), .O(y[i]));
        SB_CARRY carry_i (.I0(x[i]), .I1(w[i]), .CI(c[i]), .CO(c[i+1]));
    end endgenerate
endmodule
"""

_XILINX = """
    // the carry chain (CARRY4) takes the sum of the two bits from a look-up table, and either bit as it is
    parameter _TECHMAP_CONSTMSK_flip_b_ = 1'b0;
    parameter _TECHMAP_CONSTVAL_flip_b_ = 1'b0;
    localparam B_AS_IT_IS = _TECHMAP_CONSTMSK_flip_b_ && !_TECHMAP_CONSTVAL_flip_b_;
    wire _TECHMAP_FAIL_ = WIDTH <= 2;
    localparam CELLS = (WIDTH + 3) / 4;
    wire [4*CELLS-1:0] x = a ^ {WIDTH{flip_a}}, w = b ^ {WIDTH{flip_b}}, z, c;
    generate for (i = 0; i < CELLS; i = i + 1) begin:slice
        CARRY4 cell_i (
            .CYINIT(i == 0 ? carry : 1'b0), .CI(i == 0 ? 1'b0 : c[(i == 0 ? 1 : 4*i)-1]),
            .DI(B_AS_IT_IS ? w[4*i +: 4] : x[4*i +: 4]), .S(x[4*i +: 4] ^ w[4*i +: 4]),
            .O(z[4*i +: 4]), .CO(c[4*i +: 4])
        );
    end endgenerate
    assign y = z[WIDTH-1:0] ^ {WIDTH{flip_y}};
endmodule
"""

ADD_MAPS = {"ecp5": _PORTS + _ECP5, "ice40": _PORTS + _ICE40, "xilinx": _PORTS + _XILINX}
"""Yosys techmaps from the instances to each family's carry cells, which take the inversions in as far as they can."""


def extend(value: Value, width: int) -> Value:
    """Low ``width`` bits of ``value``, sign- or zero-extended by its own signedness."""
    have = len(value)
    if have >= width:
        return value[:width]
    fill = value[-1] if value.shape().signed else Value.cast(0)
    return Cat(value, fill.replicate(width - have))


def add(
    m: Module,
    platform: object,
    name: str,
    a: Value,
    b: Value,
    *,
    flip_a: ValueLike = 0,
    flip_b: ValueLike = 0,
    carry: ValueLike = 0,
    flip_y: ValueLike = 0,
) -> Signal:
    """``((a ^ flip_a) + (b ^ flip_b) + carry) ^ flip_y``, modulo the operands' range; combinational.

    A flip is one bit that inverts a whole word. Subtraction comes in several ways: ``a - b`` is ``a + ~b + 1`` and
    ``~(~a + b)``. In a netlist (`NetlistPlatform`) the adder is an instance of ``narrows_add``, so that synthesis can
    map it as a whole; constant flips stand at the instance.

    Parameters
    ----------
    m : Module
        Where the adder is put.
    platform : object
        Of the elaboration.
    name : str
        Of the instance and its result.
    a, b : Value
        Equally wide.
    """
    width = len(a)
    y = Signal(width, name=name)
    if isinstance(platform, NetlistPlatform):
        m.submodules[f"add_{name}"] = Instance(
            "narrows_add",
            p_WIDTH=width,
            i_a=a,
            i_b=b,
            i_flip_a=flip_a,
            i_flip_b=flip_b,
            i_carry=carry,
            i_flip_y=flip_y,
            o_y=y,
        )
        return y
    flips = (Value.cast(flip)[0].replicate(width) for flip in (flip_a, flip_b, flip_y))
    inverted_a, inverted_b, inverted_y = flips
    m.d.comb += y.eq(((a ^ inverted_a) + (b ^ inverted_b) + Value.cast(carry)[0]) ^ inverted_y)
    return y
