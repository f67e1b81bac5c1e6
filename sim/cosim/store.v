// What is common to benches around a core with a bus: the memory behind it, with the wires there, and the core's ports to them. The
// bench has `clk` and `rst`, says how the memory answers, and counts `bus_violations`; NARROWS_QUICK_STORE does both, and answers at once.
`ifdef NARROWS_BUS_BITS
`define NARROWS_STORE \
    wire [31:0] m_araddr, m_awaddr; \
    wire [7:0] m_arlen, m_awlen; \
    wire [2:0] m_arsize, m_awsize; \
    wire [1:0] m_arburst, m_awburst, m_rresp, m_bresp; \
    wire m_arvalid, m_arready, m_rlast, m_rvalid, m_rready, m_awvalid, m_awready, m_wlast, m_wvalid, m_wready, m_bvalid, m_bready; \
    wire [`NARROWS_BUS_BITS-1:0] m_rdata, m_wdata; \
    wire [`NARROWS_BUS_BITS/8-1:0] m_wstrb; \
    narrows_memory #(.BUS_BITS(`NARROWS_BUS_BITS), .WORDS_LOG2(`NARROWS_STORE_LOG2 - 2)) memory ( \
        .clk(clk), .rst(rst), .latency(latency), .pace(pace), .stall(stall[7:0]), \
        .seed(seed), .seeded(seeded), .habits(habits[5:0]), .violations(bus_violations), \
        .araddr(m_araddr), .arlen(m_arlen), .arsize(m_arsize), .arburst(m_arburst), .arvalid(m_arvalid), .arready(m_arready), \
        .rdata(m_rdata), .rresp(m_rresp), .rlast(m_rlast), .rvalid(m_rvalid), .rready(m_rready), \
        .awaddr(m_awaddr), .awlen(m_awlen), .awsize(m_awsize), .awburst(m_awburst), .awvalid(m_awvalid), .awready(m_awready), \
        .wdata(m_wdata), .wstrb(m_wstrb), .wlast(m_wlast), .wvalid(m_wvalid), .wready(m_wready), \
        .bresp(m_bresp), .bvalid(m_bvalid), .bready(m_bready) \
    );
`define NARROWS_STORE_PORTS \
    .m_axi_araddr(m_araddr), .m_axi_arlen(m_arlen), .m_axi_arsize(m_arsize), .m_axi_arburst(m_arburst), \
    .m_axi_arvalid(m_arvalid), .m_axi_arready(m_arready), \
    .m_axi_rdata(m_rdata), .m_axi_rresp(m_rresp), .m_axi_rlast(m_rlast), .m_axi_rvalid(m_rvalid), .m_axi_rready(m_rready), \
    .m_axi_awaddr(m_awaddr), .m_axi_awlen(m_awlen), .m_axi_awsize(m_awsize), .m_axi_awburst(m_awburst), \
    .m_axi_awvalid(m_awvalid), .m_axi_awready(m_awready), \
    .m_axi_wdata(m_wdata), .m_axi_wstrb(m_wstrb), .m_axi_wlast(m_wlast), .m_axi_wvalid(m_wvalid), .m_axi_wready(m_wready), \
    .m_axi_bresp(m_bresp), .m_axi_bvalid(m_bvalid), .m_axi_bready(m_bready),
`define NARROWS_QUICK_STORE \
    wire [31:0] bus_violations; \
    wire [31:0] latency = 1, pace = 1, stall = 0, seed = 0, habits = 0; \
    wire seeded = 0; \
    `NARROWS_STORE
`else
`define NARROWS_STORE_PORTS
`define NARROWS_QUICK_STORE wire [31:0] bus_violations = 0;
`endif
