"""Block RAMs of ECP5 that answer through their own output registers, which synthesis does not use."""

from __future__ import annotations

__all__ = ["BLOCK_RAM_ECP5", "BLOCK_RAM_VERILOG"]

_PARAMETERS = """
    parameter DEPTH = 1, WIDTH = 1, GRANULE = 1, BACK = 0, ADDRESS = 1;
    localparam GRANULES = WIDTH / GRANULE;
    input clk;
    input [ADDRESS-1:0] read_address, write_address;
    input [WIDTH-1:0] write_data;
    input [GRANULES-1:0] write_enable;
"""
_PORTS = "(clk, read_address, read_data, write_address, write_data, write_enable, read_back);"

BLOCK_RAM_VERILOG = f"""
// a memory that answers through a register; read_back, if BACK, without one, after a cycle without a write
module narrows_block_ram {_PORTS}{_PARAMETERS}
    output reg [WIDTH-1:0] read_data;
    output [WIDTH-1:0] read_back;
    (* no_rw_check *) reg [WIDTH-1:0] words [0:DEPTH-1];
    reg [WIDTH-1:0] word;
    integer i;
    initial begin
        for (i = 0; i < DEPTH; i = i + 1) words[i] = 0;
        word = 0;
        read_data = 0;
    end
    always @(posedge clk) begin
        word <= words[read_address];
        read_data <= word;
        for (i = 0; i < GRANULES; i = i + 1)
            if (write_enable[i]) words[write_address][i * GRANULE +: GRANULE] <= write_data[i * GRANULE +: GRANULE];
    end
    generate if (BACK) begin : back
        reg [WIDTH-1:0] same = 0;
        always @(posedge clk) same <= words[write_address];
        assign read_back = same;
    end else begin : none
        assign read_back = 0;
    end endgenerate
endmodule
"""
"""Portable definition of the instances in generated Verilog."""


def _pins(port: str, count: int, value: str) -> str:
    return ", ".join(f".{port}{bit}({value}[{bit}])" for bit in range(count))


_CONTENTS = ", ".join(f".INITVAL_{index:02X}(320'b0)" for index in range(64))

BLOCK_RAM_ECP5 = f"""
// tiles of up to four parts of at most nine bits, each with its enable; port A writes, port B reads
module narrows_block_ram {_PORTS}{_PARAMETERS}
    output [WIDTH-1:0] read_data, read_back;
    wire _TECHMAP_FAIL_ = DEPTH > 16384;
    localparam TILE = DEPTH <= 512 && !BACK ? 36 : DEPTH <= 1024 ? 18 : DEPTH <= 2048 ? 9 : DEPTH <= 4096 ? 4
        : DEPTH <= 8192 ? 2 : 1;
    localparam PART = TILE > 9 ? 9 : TILE;
    localparam PARTS = TILE / PART;  // of a tile
    localparam EACH = (GRANULE + PART - 1) / PART;  // parts of a granule
    localparam TILES = (GRANULES * EACH + PARTS - 1) / PARTS;
    localparam SHIFT = TILE == 36 ? 5 : TILE == 18 ? 4 : TILE == 9 ? 3 : TILE == 4 ? 2 : TILE == 2 ? 1 : 0;
    wire [TILES*TILE-1:0] in, out, back;
    wire [TILES*PARTS-1:0] enables;
    wire [13:0] to_write = write_address << SHIFT, to_read = read_address << SHIFT;
    genvar g, p, t;
    generate
        for (g = 0; g < GRANULES; g = g + 1) begin : granule
            for (p = 0; p < EACH; p = p + 1) begin : part
                localparam LOW = g * GRANULE + p * PART;
                localparam BITS = GRANULE - p * PART < PART ? GRANULE - p * PART : PART;
                localparam PLACE = g * EACH + p;
                assign in[PLACE*PART +: PART] = write_data[LOW +: BITS];
                assign enables[PLACE] = write_enable[g];
                assign read_data[LOW +: BITS] = out[PLACE*PART +: BITS];
                assign read_back[LOW +: BITS] = back[PLACE*PART +: BITS];
            end
        end
        for (p = GRANULES * EACH; p < TILES * PARTS; p = p + 1) begin : rest
            assign in[p*PART +: PART] = 0;
            assign enables[p] = 1'b0;
        end
        for (t = 0; t < TILES; t = t + 1) begin : tile
            wire [PARTS-1:0] enable = enables[t*PARTS +: PARTS];
            wire [13:0] address = PARTS > 1 ? to_write | enable : to_write;
            wire [35:0] data = in[t*TILE +: TILE], low, high;
            assign out[t*TILE +: TILE] = TILE == 36 ? {{high[17:0], low[17:0]}} : high;
            assign back[t*TILE +: TILE] = low;
            DP16KD #(
                {_CONTENTS},
                .DATA_WIDTH_A(TILE), .DATA_WIDTH_B(TILE), .REGMODE_A(TILE == 36 ? "OUTREG" : "NOREG"),
                .REGMODE_B("OUTREG"), .RESETMODE("SYNC"), .ASYNC_RESET_RELEASE("SYNC"), .CSDECODE_A("0b000"),
                .CSDECODE_B("0b000"), .CLKAMUX("CLKA"), .CLKBMUX("CLKB"), .WRITEMODE_A("NORMAL"),
                .WRITEMODE_B("NORMAL"), .GSR("DISABLED")
            ) ram (
                .CLKA(clk), .CEA(1'b1), .OCEA(1'b1), .WEA(|enable), .RSTA(1'b0), .CSA0(1'b0), .CSA1(1'b0), .CSA2(1'b0),
                {_pins("ADA", 14, "address")},
                {_pins("DIA", 18, "data")},
                {_pins("DOA", 18, "low")},
                .CLKB(clk), .CEB(1'b1), .OCEB(1'b1), .WEB(1'b0), .RSTB(1'b0), .CSB0(1'b0), .CSB1(1'b0), .CSB2(1'b0),
                {_pins("ADB", 14, "to_read")},
                {", ".join(f".DIB{bit}(data[{18 + bit}])" for bit in range(18))},
                {_pins("DOB", 18, "high")}
            );
        end
    endgenerate
endmodule
"""
"""Yosys techmap of the instances to DP16KD; an output register takes a tile's clock-to-out from 5.8 ns to 1.0 in speed
grade 6."""
