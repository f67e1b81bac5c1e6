"""lut: a look-up table of four inputs as such, where synthesis would not find it."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value

from .netlist import NetlistPlatform

__all__ = ["LUT_MAPS", "LUT_VERILOG", "lut"]

LUT_VERILOG = """
// a look-up table: bit {d, c, b, a} of TABLE
module narrows_lut #(parameter [15:0] TABLE = 0) (input a, input b, input c, input d, output y);
    assign y = TABLE[{d, c, b, a}];
endmodule
"""
"""Portable definition of the instances in generated Verilog."""

_PORTS = """
module narrows_lut (a, b, c, d, y);
    parameter TABLE = 16'h0000;
    input a, b, c, d;
    output y;
"""

LUT_MAPS = {
    "ecp5": f"{_PORTS}    LUT4 #(.INIT(TABLE)) cell_i (.A(a), .B(b), .C(c), .D(d), .Z(y));\nendmodule\n",
    "ice40": f"{_PORTS}    SB_LUT4 #(.LUT_INIT(TABLE)) cell_i (.I0(a), .I1(b), .I2(c), .I3(d), .O(y));\nendmodule\n",
}
"""Yosys techmaps from the instances to the cells of families whose look-up tables have four inputs."""


def lut(m: Module, platform: object, name: str, table: int, inputs: Value) -> Signal:
    """Bit ``inputs`` of ``table``; combinational.

    Parameters
    ----------
    m : Module
        Where it is put.
    platform : object
        Of the elaboration: in a netlist (`NetlistPlatform`) it is an instance of ``narrows_lut``.
    name : str
        Of the instance and its output.
    table : int
        16 bits.
    inputs : Value
        Up to 4 bits; missing ones are 0.
    """
    y = Signal(name=name)
    if isinstance(platform, NetlistPlatform):
        ports = {f"i_{port}": value for port, value in zip("abcd", Cat(inputs, Const(0, 4)), strict=False)}
        m.submodules[f"lut_{name}"] = Instance("narrows_lut", p_TABLE=Const(table, 16), **ports, o_y=y)
    else:
        m.d.comb += y.eq(Const(table, 16).bit_select(inputs, 1))
    return y
