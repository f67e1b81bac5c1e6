// Master of the bare port for bench.v: carries out the host's AXI4-Lite accesses one by one, with random stalls, and watches the core.
//
// `stall` of 256 tries to ask for something fail. One request is under way at a time; without stalls the next follows with the answer.

module narrows_bare_master (
    input clk, input rst, input [7:0] stall, output reg [31:0] violations,
    input [25:0] awaddr, input awvalid, output awready,
    input [31:0] wdata, input wvalid, output wready,
    output reg [1:0] bresp, output reg bvalid, input bready,
    input [25:0] araddr, input arvalid, output arready,
    output reg [31:0] rdata, output reg [1:0] rresp, output reg rvalid, input rready,
    output valid, input ready, output we, output [23:0] adr, output [31:0] dat_w,
    input done, input refused, input [31:0] dat_r
);
    reg [31:0] noise;
    reg waiting, writing;
    // An answer that might have to wait for the host keeps the next request back.
    wire free = (!waiting || (done && stall == 0)) && (!bvalid || bready) && (!rvalid || rready) && noise[7:0] >= stall;
    wire write_try = awvalid && wvalid;
    assign valid = free && (write_try || arvalid);
    assign we = write_try;
    assign adr = write_try ? awaddr[25:2] : araddr[25:2];
    assign dat_w = write_try ? wdata : noise;   // what goes with a read means nothing
    assign awready = valid && ready && write_try;
    assign wready = awready;
    assign arready = valid && ready && !write_try;

    always @(posedge clk) begin
        noise <= {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]} ^ (noise << 7);
        if (bready) bvalid <= 0;
        if (rready) rvalid <= 0;
        if (done) begin
            waiting <= 0;
            if (writing) begin
                bvalid <= 1;
                bresp <= {refused, 1'b0};
            end else begin
                rvalid <= 1;
                rresp <= {refused, 1'b0};
                rdata <= dat_r;
            end
        end
        if (awready || arready) begin
            waiting <= 1;
            writing <= we;
        end
        if ((done && !waiting) || (refused && !done)) violations <= violations + 1;
        if (rst) begin
            noise <= 32'h1d872b41;
            violations <= 0;
            {waiting, writing, bvalid, rvalid} <= 0;
        end
    end
endmodule
