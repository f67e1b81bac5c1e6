// A clock and a terminal for the SoC: what its UART sends is printed, and the byte 4 (end of text) ends it.
`timescale 1ns / 1ns

module bench;
    parameter CYCLES = 0;  // after which it is given up
    reg clk = 0, rst = 1;
    reg [63:0] cycles = 0;
    wire sent;
    wire [7:0] character;

    soc dut (
        .clk(clk), .rst(rst),
        .serial_source_valid(sent), .serial_source_ready(1'b1), .serial_source_data(character),
        .serial_sink_valid(1'b0), .serial_sink_ready(), .serial_sink_data(8'd0)
    );

    always #1 clk = !clk;

    always @(posedge clk) begin
        cycles <= cycles + 1;
        rst <= cycles < 8;
        if (!rst && sent && character == 8'd4) begin
            $display("cycles %0d", cycles);
            $finish;
        end else if (!rst && sent)
            $write("%c", character);
        if (cycles == CYCLES) begin
            $display("gave up after %0d cycles", cycles);
            $finish;
        end
    end
endmodule
