// What a bench around a gated core has of its second clock: a gate that leaves out every edge that may be left out, and the core's ports
// to it. `slept` counts the edges. The gate hands a clock on without a glitch, as an FPGA's own does: it is told while the clock is low.
`ifdef NARROWS_GATED
module narrows_clock_gate(input clk, idle, output work_clk);
    reg open = 1;
    always @* if (!clk) open = !idle;
    assign work_clk = clk && open;
endmodule
`define NARROWS_GATE \
    wire idle_core, work_clk; \
    narrows_clock_gate gate(.clk(clk), .idle(idle_core), .work_clk(work_clk)); \
    reg [63:0] slept = 0; \
    always @(posedge clk) if (idle_core) slept <= slept + 1;
`define NARROWS_GATE_PORTS .work_clk(work_clk), .idle(idle_core),
`else
`define NARROWS_GATE
`define NARROWS_GATE_PORTS
`endif
