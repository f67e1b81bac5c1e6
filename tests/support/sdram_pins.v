// Plays a file of commands at the pins of an SDRAM chip's model. A line is: cycles to wait, then ras_n cas_n we_n as one digit,
// bank, address, datum, what the pins do (1: drive the datum, 2 and 4: mask its low and high byte, 8: cke low).
`timescale 1ns / 1ps
module pins;
    reg clk = 0;
    always #5 clk = !clk;
    integer commands, got, gap = 0;
    reg [31:0] code, bank, address, datum, how, now = 0;
    reg waiting = 0, ended = 0;
    reg [2:0] command = 7;
    reg [1:0] ba = 0, dm = 0;
    reg [12:0] a = 0;
    reg [15:0] data = 0;
    reg drive = 0, cke = 1;
    wire [15:0] dq;
    wire [31:0] violations, refreshes, longest_gap, reads, writes, activates;
    assign dq = drive ? data : 16'bz;
    narrows_sdram_chip #(.WORDS_LOG2(16)) chip (
        .clk(clk), .cke(cke), .cs_n(1'b0), .ras_n(command[2]), .cas_n(command[1]), .we_n(command[0]), .ba(ba), .a(a), .dm(dm), .dq(dq),
        .violations(violations), .refreshes(refreshes), .longest_gap(longest_gap), .reads(reads), .writes(writes), .activates(activates)
    );
    initial commands = $fopen("commands.txt", "r");

    // pins change with the falling edge, and are looked at just before the rising one
    always @(negedge clk) begin
        {command, drive, dm, cke} = {3'd7, 1'b0, 2'd0, 1'b1};
        if (!waiting && !ended) begin
            got = $fscanf(commands, "%d %d %d %h %h %d", gap, code, bank, address, datum, how);
            waiting = got == 6;
            ended = !waiting;
            if (ended) gap = 8;
        end
        if (gap != 0) gap = gap - 1;
        else if (ended) begin
            $display("end %0d %0d %0d %0d %0d %0d", violations, refreshes, longest_gap, reads, writes, activates);
            $finish;
        end else begin
            command = code[2:0];
            ba = bank[1:0];
            a = address[12:0];
            data = datum[15:0];
            {cke, dm, drive} = {!how[3], how[2:1], how[0]};
            waiting = 0;
        end
    end
    always @(posedge clk) begin
        now <= now + 1;
        if (chip.late_drive != 0) $display("data %0d %h", now + 1, dq);
    end
endmodule
