"""lut, choose: a look-up table of four inputs as such, and what chooses between two of them, where synthesis would not
find them."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value

from .netlist import NetlistPlatform

__all__ = ["CHOOSE_VERILOG", "LUT_MAPS", "LUT_VERILOG", "choose", "lut"]

LUT_VERILOG = """
// a look-up table: bit {d, c, b, a} of TABLE
module narrows_lut #(parameter [15:0] TABLE = 0) (input a, input b, input c, input d, output y);
    assign y = TABLE[{d, c, b, a}];
endmodule
"""
"""Portable definition of the instances in generated Verilog."""

CHOOSE_VERILOG = """
// one of two outputs of narrows_lut that serve nothing else
module narrows_choose (input a, input b, input s, output y);
    assign y = s ? b : a;
endmodule
"""
"""The same of what chooses between two."""

_PORTS = """
module narrows_lut (a, b, c, d, y);
    parameter TABLE = 16'h0000;
    input a, b, c, d;
    output y;
"""

_CHOOSE = """
module narrows_choose (a, b, s, y);
    input a, b, s;
    output y;
"""

LUT_MAPS = {
    "ecp5": f"{_PORTS}    LUT4 #(.INIT(TABLE)) cell_i (.A(a), .B(b), .C(c), .D(d), .Z(y));\nendmodule\n"
    f"{_CHOOSE}    PFUMX cell_i (.ALUT(b), .BLUT(a), .C0(s), .Z(y));\nendmodule\n",
    "ice40": f"{_PORTS}    SB_LUT4 #(.LUT_INIT(TABLE)) cell_i (.I0(a), .I1(b), .I2(c), .I3(d), .O(y));\nendmodule\n"
    f"{_CHOOSE}    SB_LUT4 #(.LUT_INIT(16'hcaca)) cell_i (.I0(a), .I1(b), .I2(s), .I3(1'b0), .O(y));\nendmodule\n",
}
"""Yosys techmaps from the instances to the cells of families whose look-up tables have four inputs. An ECP5's slice has
a multiplexer behind each two of its tables."""


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


def choose(m: Module, platform: object, name: str, tables: Value, select: Value) -> Signal:
    """One of the outputs of two look-up tables, which serve nothing else; combinational.

    Parameters
    ----------
    m, platform, name
        As for `lut`; in a netlist it is an instance of ``narrows_choose``.
    tables : Value
        Both outputs, 2 bits: that for ``select`` = 0 first.
    select : Value
        1 bit.
    """
    y = Signal(name=name)
    if isinstance(platform, NetlistPlatform):
        ports = {"i_a": tables[0], "i_b": tables[1], "i_s": select, "o_y": y}
        m.submodules[f"choose_{name}"] = Instance("narrows_choose", **ports)
    else:
        m.d.comb += y.eq(tables.bit_select(select, 1))
    return y
