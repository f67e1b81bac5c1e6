// Plays instructions.bin to a core's sequencer: for each instruction a word with the index at which it lies, and its words, all
// big-endian. verdicts.hex gets a line for each: what became of it (decoder.py: Verdict), fault and index of the fault.
`timescale 1ns / 1ps

module decoder (input clk);
    localparam WORDS = 16, BOUND = 400;
    localparam S_RESET = 0, S_READ = 1, S_WRITE = 2, S_START = 3, S_RUN = 4, S_CLEAR = 5, S_REST = 6;
    localparam ENDS = 1, FAULTS = 2, COMPUTES = 3, LOADS = 4, STORES = 5, HANGS = 6;

    reg rst = 1;

    reg [2:0] state = S_RESET;
    reg [31:0] index = 0, value = 0, count = 0;
    reg enable = 0;
    reg [21:0] offset = 0;
    reg [31:0] data = 0;
    wire computes, loads, stores, busy, ended, faulted;
    wire [7:0] fault;
    wire [15:0] fault_index;
    integer source, sink, got;

    narrows_decoder dut (
        .clk(clk), .rst(rst), .host_enable(enable), .host_offset(offset), .host_data(data), .entry(index[15:0]),
        .start(state == S_START), .clear(state == S_CLEAR), .computes(computes), .loads(loads), .stores(stores),
        .busy(busy), .done(ended), .faulted(faulted), .fault(fault), .fault_index(fault_index)
    );

    task verdict(input [7:0] kind);
        begin
            $fwrite(sink, "%02h%02h%04h\n", kind, kind == FAULTS ? fault : 8'd0, kind == FAULTS ? fault_index : 16'd0);
            state <= S_CLEAR;
        end
    endtask

    always @(posedge clk) begin
        enable <= 0;
        count <= count + 1;
        case (state)
            S_RESET: if (count == 8) begin
                rst <= 0;
                source = $fopen("instructions.bin", "rb");
                sink = $fopen("verdicts.hex", "wb");
                state <= S_READ;
            end
            S_READ: begin
                got = $fread(value, source);
                index <= value;
                count <= 0;
                if (got == 4) state <= S_WRITE;
                else begin
                    $fclose(sink);
                    $finish;
                end
            end
            S_WRITE: begin
                if (count < WORDS) begin
                    got = $fread(value, source);
                    enable <= 1;
                    offset <= index * WORDS + count;
                    data <= value;
                end
                if (count == WORDS + 2) state <= S_START;
            end
            S_START: begin
                count <= 0;
                state <= S_RUN;
            end
            S_RUN:
                if (faulted) verdict(FAULTS);
                else if (ended) verdict(ENDS);
                else if (computes) verdict(COMPUTES);
                else if (loads) verdict(LOADS);
                else if (stores) verdict(STORES);
                else if (count == BOUND) verdict(HANGS);
            S_CLEAR: state <= S_REST;
            S_REST: if (!busy && !faulted) state <= S_READ;
            default: state <= S_READ;
        endcase
    end
endmodule
