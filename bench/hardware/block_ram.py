"""ECP5_BLOCK_RAM: a simulation model of the ECP5's block RAM, which Yosys has as a black box only."""

from __future__ import annotations

__all__ = ["ECP5_BLOCK_RAM"]

_INITS = ", ".join(f"INITVAL_{index:02X} = 0" for index in range(64))
_OTHERS = ", ".join(
    f'{name} = ""'
    for name in (
        *("REGMODE_A", "REGMODE_B", "RESETMODE", "ASYNC_RESET_RELEASE", "CSDECODE_A", "CSDECODE_B", "GSR"),
        *("CLKAMUX", "CLKBMUX", "WRITEMODE_A", "WRITEMODE_B"),
    )
)


def _pins(name: str, count: int) -> str:
    return ", ".join(f"{name}{bit}" for bit in reversed(range(count)))


def _port(port: str, other: str) -> str:
    """One port; written in 36 bits port A holds the low half, and port B is then read only."""
    wide_in = f"{{{_pins('DIB', 18)}}}" if port == "A" else "18'b0"
    return f"""
    wire [13:0] address{port} = {{{_pins(f"AD{port}", 14)}}};
    wire [35:0] in{port} = {{{wide_in}, {_pins(f"DI{port}", 18)}}};
    wire chosen{port} = CE{port} && !CS{port}0 && !CS{port}1 && !CS{port}2;
    wire enabled{port} = DATA_WIDTH_{port} == 36 ? |address{port}[3:0] : DATA_WIDTH_{port} != 18 || |address{port}[1:0];
    wire writes{port} = chosen{port} && WE{port} && enabled{port};
    reg [35:0] out{port} = 0;
    always @(posedge CLK{port}) begin
        if (writes{port}) case (DATA_WIDTH_{port})
            36: for (i{port} = 0; i{port} < 4; i{port} = i{port} + 1)
                if (address{port}[i{port}])
                    words[{{address{port}[13:5], i{port}[1]}}][9 * i{port}[0] +: 9] <= in{port}[9 * i{port} +: 9];
            18: for (i{port} = 0; i{port} < 2; i{port} = i{port} + 1)
                if (address{port}[i{port}]) words[address{port}[13:4]][9 * i{port} +: 9] <= in{port}[9 * i{port} +: 9];
            9: words[address{port}[13:4]][9 * address{port}[3] +: 9] <= in{port}[8:0];
            4: words[address{port}[13:4]][9 * address{port}[3] + 4 * address{port}[2] +: 4] <= in{port}[3:0];
            2: words[address{port}[13:4]][9 * address{port}[3] + 2 * address{port}[2:1] +: 2] <= in{port}[1:0];
            default: words[address{port}[13:4]][9 * address{port}[3] + address{port}[2:0]] <= in{port}[0];
        endcase
        if (RST{port}) out{port} <= 0;
        else if (chosen{port} && !WE{port}) begin
            case (DATA_WIDTH_{port})
                36: out{port} <= {{words[{{address{port}[13:5], 1'b1}}], words[{{address{port}[13:5], 1'b0}}]}};
                18: out{port} <= words[address{port}[13:4]];
                9: out{port} <= words[address{port}[13:4]][9 * address{port}[3] +: 9];
                4: out{port} <= words[address{port}[13:4]][9 * address{port}[3] + 4 * address{port}[2] +: 4];
                2: out{port} <= words[address{port}[13:4]][9 * address{port}[3] + 2 * address{port}[2:1] +: 2];
                default: out{port} <= words[address{port}[13:4]][9 * address{port}[3] + address{port}[2:0]];
            endcase
            if (writes{other} && (address{port} ^ address{other}) >> SAME == 0) out{port} <= {{36{{1'b1}}}};
        end
    end
    reg [35:0] late{port} = 0;
    always @(posedge CLK{port}) if (OCE{port}) late{port} <= out{port};
    wire [35:0] shown{port} = REGMODE_{port} == "OUTREG" ? late{port} : out{port};"""


_SIDES = ", ".join(
    f"input {_pins(f'DI{port}', 18)}, {_pins(f'AD{port}', 14)}, CE{port}, OCE{port}, CLK{port}, WE{port}, RST{port}, "
    f"{_pins(f'CS{port}', 3)}"
    for port in "AB"
)

ECP5_BLOCK_RAM = f"""
module DP16KD #(parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, {_OTHERS}, {_INITS})
    ({_SIDES}, output {_pins("DOA", 18)}, {_pins("DOB", 18)});
    reg [17:0] words [0:1023];
    localparam WIDER = DATA_WIDTH_A > DATA_WIDTH_B ? DATA_WIDTH_A : DATA_WIDTH_B;
    localparam SAME = WIDER > 18 ? 5 : WIDER > 9 ? 4 : WIDER > 4 ? 3 : WIDER > 2 ? 2 : WIDER > 1;  // address bits
    integer iA, iB;{_port("A", "B")}{_port("B", "A")}
    // 36 bits are read at B, whose low half then leaves at A
    assign {{{_pins("DOA", 18)}}} = DATA_WIDTH_B == 36 ? shownB[17:0] : shownA[17:0];
    assign {{{_pins("DOB", 18)}}} = DATA_WIDTH_B == 36 ? shownB[35:18] : shownB[17:0];
endmodule
"""
"""Module ``DP16KD`` without contents (Lattice FPGA-TN-02204); a wide port takes REGMODE_B for both halves. What one
port reads where the other writes is not defined there: here all its bits are then 1."""
