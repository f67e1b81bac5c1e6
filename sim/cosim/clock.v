// How a bench begins: its clock, whose every second change is a rising edge (under Verilator main.cpp makes it), and its host, from
// whom it gets batches of words on its standard input: their number, then these. It waits for each, and simulated time stands still.
// What became of a batch goes to the file that +responses names, as a line.
`ifdef VERILATOR
`define NARROWS_BENCH(name) module name (input clk);
`else
`define NARROWS_BENCH(name) module name; reg clk = 0; always #5 clk = !clk;
`endif
`define NARROWS_HOST \
    localparam COMMANDS = 32'h8000_0000; \
    integer responses, got; \
    reg [8*256-1:0] responses_name; \
    reg [31:0] in_batch, dropped; \
    initial begin \
        if (!$value$plusargs("responses=%s", responses_name)) $finish; \
        responses = $fopen(responses_name, "wb"); \
    end \
    task await_batch; \
        begin \
            got = $fread(in_batch, COMMANDS); \
            if (got != 4) $finish; \
        end \
    endtask \
    task take(output [31:0] word); \
        begin \
            got = $fread(word, COMMANDS); \
            in_batch = in_batch - 1; \
        end \
    endtask \
    task drop_rest; \
        while (in_batch != 0) take(dropped); \
    endtask
