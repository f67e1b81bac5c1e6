// Wishbone classic master for bench.v: carries out the host's AXI4-Lite accesses one by one, with random stalls, and watches the slave.
//
// `stall` of 256 tries to begin a cycle fail; CYC stays high between two cycles or falls, at random. Without stalls, cycles follow each
// other without a pause, STB high throughout.

module narrows_wishbone_master (
    input clk, input rst, input [7:0] stall, output reg [31:0] violations,
    input [25:0] awaddr, input awvalid, output awready,
    input [31:0] wdata, input wvalid, output wready,
    output reg [1:0] bresp, output reg bvalid, input bready,
    input [25:0] araddr, input arvalid, output arready,
    output reg [31:0] rdata, output reg [1:0] rresp, output reg rvalid, input rready,
    output reg cyc, output reg stb, output reg we, output reg [23:0] adr, output reg [3:0] sel, output reg [31:0] dat_w,
    input [31:0] dat_r, input ack, input err
);
    reg [31:0] noise;
    wire ends = ack || err;
    // An answer that might have to wait for the host keeps the next cycle from beginning.
    wire free = (!stb || ends) && (!bvalid || bready) && (!rvalid || rready) && !(ends && stall != 0) && noise[7:0] >= stall;
    assign awready = free && awvalid && wvalid;
    assign wready = awready;
    assign arready = free && arvalid && !awready;

    always @(posedge clk) begin
        noise <= {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]} ^ (noise << 7);
        if (bready) bvalid <= 0;
        if (rready) rvalid <= 0;
        if (stb && ends) begin
            stb <= 0;
            cyc <= noise[12];
            if (we) begin
                bvalid <= 1;
                bresp <= {err, 1'b0};
            end else begin
                rvalid <= 1;
                rresp <= {err, 1'b0};
                rdata <= err ? 0 : dat_r;
            end
        end else if (!stb && noise[17:15] == 0) cyc <= 0;
        if (awready || arready) begin
            cyc <= 1;
            stb <= 1;
            we <= awready;
            adr <= awready ? awaddr[25:2] : araddr[25:2];
            sel <= 4'b1111;
            dat_w <= awready ? wdata : noise;   // what a read finds on the data lines means nothing
        end
        if (ends && (!stb || !cyc || (ack && err))) violations <= violations + 1;
        if (rst) begin
            noise <= 32'h1d872b41;
            violations <= 0;
            {cyc, stb, we, bvalid, rvalid} <= 0;
        end
    end
endmodule

