// Proof of a narrows core without Python: plays vectors.hex on its bare port, and compares every word that it reads with the
// expected one: outputs, checksums, status and counters. Plain Verilog, for Icarus, Verilator and others.
//
// The core comes from vectors of an ordinary run: memories filled, an input written, START, irq, results read.
`timescale 1ns / 1ps

module bench;
    parameter COUNT = @COUNT@;               // vectors in the file
    localparam END = 0, WRITE = 1, EXPECT = 2, WAIT = 3, SAMPLE = 4;
    localparam SETTLE = 8;                   // cycles that a start may take until irq falls

    reg [63:0] vectors [0:COUNT-1];
    integer next = 0;
    wire [63:0] vector = vectors[next];
    wire [3:0] step = vector[63:60];
    wire [31:0] word = vector[31:0];

    reg clk = 0;
    reg rst = 1;
    always #5 clk = !clk;

    reg waiting = 0;                         // a request is under way
    wire request = !rst && !waiting && (step == WRITE || step == EXPECT);
    wire ready, done, refused, irq;
    wire [31:0] data;
    narrows_core core (
        .clk(clk), .rst(rst), .irq(irq),
        .host_valid(request), .host_ready(ready), .host_we(step == WRITE), .host_adr(vector[55:32]), .host_dat_w(word),
        .host_done(done), .host_refused(refused), .host_dat_r(data)
    );

    integer cycles = 0, waited = 0, sample = 0, compared = 0, wrong = 0;

    initial $readmemh("vectors.hex", vectors);

    always @(posedge clk) begin
        cycles <= cycles + 1;
        if (cycles == 8) rst <= 0;
        if (!rst) case (step)
            WRITE, EXPECT: begin
                if (request && ready) waiting <= 1;
                if (done) begin
                    waiting <= 0;
                    next <= next + 1;
                    if (refused) begin
                        wrong <= wrong + 1;
                        $display("vector %0d: the core refused address %h", next, {vector[55:32], 2'b00});
                    end
                    if (step == EXPECT) begin
                        compared <= compared + 1;
                        if (data !== word) begin
                            wrong <= wrong + 1;
                            $display("vector %0d, sample %0d: address %h reads %h instead of %h",
                                     next, sample, {vector[55:32], 2'b00}, data, word);
                        end
                    end
                end
            end
            WAIT: begin
                waited <= waited + 1;
                if (waited >= SETTLE && irq || waited >= SETTLE + word) begin
                    waited <= 0;
                    next <= next + 1;
                    if (!irq) begin
                        wrong <= wrong + 1;
                        $display("vector %0d, sample %0d: no interrupt within %0d cycles", next, sample, word);
                    end
                end
            end
            SAMPLE: begin
                sample <= word;
                next <= next + 1;
            end
            default: begin
                if (wrong == 0) $display("PASS: %0d words compared, %0d cycles", compared, cycles);
                else $display("FAIL: %0d of %0d words, %0d cycles", wrong, compared, cycles);
                $finish;
            end
        endcase
        if (wrong > 20) begin
            $display("FAIL: gave up after %0d words, %0d cycles", compared, cycles);
            $finish;
        end
    end
endmodule
