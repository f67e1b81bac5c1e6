// SDRAM behind the AXI4 port of a core, for bench.v: in the place of memory.v, a generated controller (modules `narrows_sdram` and
// `litedram_core`) and the chip at its pins, whose clock is half a period late.
//
// How it answers cannot be set; stalls of `stall` of 256 hold back the core's addresses and what it writes. `violations` are the
// chip's. Statistics of the chip are words from byte 0x0fff0000 on: refreshes, longest gap between two, reads, writes, activates.

module narrows_memory #(parameter BUS_BITS = 32, parameter WORDS_LOG2 = 18) (
    input clk, input rst,
    input [31:0] latency, input [31:0] pace, input [7:0] stall, input [31:0] seed, input seeded, input [5:0] habits,
    output [31:0] violations,
    input [31:0] araddr, input [7:0] arlen, input [2:0] arsize, input [1:0] arburst, input arvalid, output arready,
    output [BUS_BITS-1:0] rdata, output [1:0] rresp, output rlast, output rvalid, input rready,
    input [31:0] awaddr, input [7:0] awlen, input [2:0] awsize, input [1:0] awburst, input awvalid, output awready,
    input [BUS_BITS-1:0] wdata, input [BUS_BITS/8-1:0] wstrb, input wlast, input wvalid, output wready,
    output [1:0] bresp, output bvalid, input bready
);
    // An address or a beat that has been offered to the controller stays on offer.
    reg [31:0] noise = 32'h2545f491;
    reg ar_open = 1, aw_open = 1, w_open = 1;
    wire ar_taken, aw_taken, w_taken;
    always @(posedge clk) begin
        noise <= seeded ? seed : {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]} ^ (noise << 7);
        if (!ar_open || !arvalid || ar_taken) ar_open <= noise[7:0] >= stall;
        if (!aw_open || !awvalid || aw_taken) aw_open <= noise[12:5] >= stall;
        if (!w_open || !wvalid || w_taken) w_open <= noise[22:15] >= stall;
    end
    assign arready = ar_taken && ar_open, awready = aw_taken && aw_open, wready = w_taken && w_open;

    wire [31:0] port_araddr, port_awaddr;
    wire [7:0] port_arlen, port_awlen;
    wire [2:0] port_arsize, port_awsize;
    wire [1:0] port_arburst, port_awburst, port_rresp, port_bresp, port_wstrb;
    wire [15:0] port_rdata, port_wdata;
    wire port_arvalid, port_arready, port_rlast, port_rvalid, port_rready, port_awvalid, port_awready;
    wire port_wlast, port_wvalid, port_wready, port_bvalid, port_bready;
    wire [29:0] control_adr;
    wire [31:0] control_dat_w;
    wire [3:0] control_sel;
    wire control_cyc, control_stb, control_we, control_ack;
    narrows_sdram port (
        .clk(clk), .rst(rst), .ready(),
        .bus_araddr(araddr), .bus_arlen(arlen), .bus_arsize(arsize), .bus_arburst(arburst), .bus_arcache(4'b0), .bus_arprot(3'b0),
        .bus_arvalid(arvalid && ar_open), .bus_arready(ar_taken),
        .bus_rdata(rdata), .bus_rresp(rresp), .bus_rlast(rlast), .bus_rvalid(rvalid), .bus_rready(rready),
        .bus_awaddr(awaddr), .bus_awlen(awlen), .bus_awsize(awsize), .bus_awburst(awburst), .bus_awcache(4'b0), .bus_awprot(3'b0),
        .bus_awvalid(awvalid && aw_open), .bus_awready(aw_taken),
        .bus_wdata(wdata), .bus_wstrb(wstrb), .bus_wlast(wlast), .bus_wvalid(wvalid && w_open), .bus_wready(w_taken),
        .bus_bresp(bresp), .bus_bvalid(bvalid), .bus_bready(bready),
        .port_araddr(port_araddr), .port_arlen(port_arlen), .port_arsize(port_arsize), .port_arburst(port_arburst),
        .port_arcache(), .port_arprot(), .port_arvalid(port_arvalid), .port_arready(port_arready),
        .port_rdata(port_rdata), .port_rresp(port_rresp), .port_rlast(port_rlast), .port_rvalid(port_rvalid), .port_rready(port_rready),
        .port_awaddr(port_awaddr), .port_awlen(port_awlen), .port_awsize(port_awsize), .port_awburst(port_awburst),
        .port_awcache(), .port_awprot(), .port_awvalid(port_awvalid), .port_awready(port_awready),
        .port_wdata(port_wdata), .port_wstrb(port_wstrb), .port_wlast(port_wlast), .port_wvalid(port_wvalid), .port_wready(port_wready),
        .port_bresp(port_bresp), .port_bvalid(port_bvalid), .port_bready(port_bready),
        .control_cyc(control_cyc), .control_stb(control_stb), .control_we(control_we), .control_adr(control_adr),
        .control_sel(control_sel), .control_dat_w(control_dat_w), .control_ack(control_ack)
    );

    wire [12:0] sdram_a;
    wire [1:0] sdram_ba, sdram_dm;
    wire [15:0] sdram_dq;
    wire sdram_cke, sdram_cs_n, sdram_ras_n, sdram_cas_n, sdram_we_n;
    litedram_core controller (
        .clk(clk), .rst(rst), .init_done(), .init_error(), .user_clk(), .user_rst(),
        .sdram_a(sdram_a), .sdram_ba(sdram_ba), .sdram_dm(sdram_dm), .sdram_dq(sdram_dq), .sdram_cke(sdram_cke),
        .sdram_cs_n(sdram_cs_n), .sdram_ras_n(sdram_ras_n), .sdram_cas_n(sdram_cas_n), .sdram_we_n(sdram_we_n),
        .user_port_0_araddr(port_araddr[25:0]), .user_port_0_arlen(port_arlen), .user_port_0_arsize({1'b0, port_arsize}),
        .user_port_0_arburst(port_arburst), .user_port_0_arid(1'b0), .user_port_0_arvalid(port_arvalid),
        .user_port_0_arready(port_arready), .user_port_0_rdata(port_rdata), .user_port_0_rresp(port_rresp), .user_port_0_rid(),
        .user_port_0_rlast(port_rlast), .user_port_0_rvalid(port_rvalid), .user_port_0_rready(port_rready),
        .user_port_0_awaddr(port_awaddr[25:0]), .user_port_0_awlen(port_awlen), .user_port_0_awsize({1'b0, port_awsize}),
        .user_port_0_awburst(port_awburst), .user_port_0_awid(1'b0), .user_port_0_awvalid(port_awvalid),
        .user_port_0_awready(port_awready), .user_port_0_wdata(port_wdata), .user_port_0_wstrb(port_wstrb),
        .user_port_0_wlast(port_wlast), .user_port_0_wvalid(port_wvalid), .user_port_0_wready(port_wready),
        .user_port_0_bid(), .user_port_0_bresp(port_bresp), .user_port_0_bvalid(port_bvalid), .user_port_0_bready(port_bready),
        .wb_ctrl_cyc(control_cyc), .wb_ctrl_stb(control_stb), .wb_ctrl_we(control_we), .wb_ctrl_adr(control_adr),
        .wb_ctrl_sel(control_sel), .wb_ctrl_dat_w(control_dat_w), .wb_ctrl_dat_r(), .wb_ctrl_ack(control_ack), .wb_ctrl_err(),
        .wb_ctrl_cti(3'b0), .wb_ctrl_bte(2'b0)
    );

    wire [31:0] refreshes, longest_gap, reads, writes, activates;
    narrows_sdram_chip #(.WORDS_LOG2(WORDS_LOG2 + 1)) chip (
        .clk(!clk), .cke(sdram_cke), .cs_n(sdram_cs_n), .ras_n(sdram_ras_n), .cas_n(sdram_cas_n), .we_n(sdram_we_n),
        .ba(sdram_ba), .a(sdram_a), .dm(sdram_dm), .dq(sdram_dq), .violations(violations),
        .refreshes(refreshes), .longest_gap(longest_gap), .reads(reads), .writes(writes), .activates(activates)
    );

    // bench.v reads and writes the chip at once
    task put(input [31:0] index, input [31:0] value);
        begin
            chip.words[2 * index] = value[15:0];
            chip.words[2 * index + 1] = value[31:16];
        end
    endtask
    function [31:0] get(input [31:0] index);
        case (index)
            32'h3ffc000: get = refreshes;
            32'h3ffc001: get = longest_gap;
            32'h3ffc002: get = reads;
            32'h3ffc003: get = writes;
            32'h3ffc004: get = activates;
            default: get = {chip.words[2 * index + 1], chip.words[2 * index]};
        endcase
    endfunction
endmodule
