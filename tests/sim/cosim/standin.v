// Stand-in for a core: 4,096 words of memory behind AXI4-Lite; word 4 counts down to the interrupt, addresses from 2**24 on are errors.
module narrows_core (
    input clk, input rst, output irq,
    input [24:0] s_axil_awaddr, input s_axil_awvalid, output s_axil_awready,
    input [31:0] s_axil_wdata, input [3:0] s_axil_wstrb, input s_axil_wvalid, output s_axil_wready,
    output [1:0] s_axil_bresp, output reg s_axil_bvalid, input s_axil_bready,
    input [24:0] s_axil_araddr, input s_axil_arvalid, output s_axil_arready,
    output reg [31:0] s_axil_rdata, output [1:0] s_axil_rresp, output reg s_axil_rvalid, input s_axil_rready
);
    reg [31:0] memory [0:4095];
    integer place;
    initial for (place = 0; place < 4096; place = place + 1) memory[place] = 0;
    reg [31:0] busy;
    reg error;
    wire write = s_axil_awvalid && s_axil_wvalid && (!s_axil_bvalid || s_axil_bready);
    wire read = s_axil_arvalid && (!s_axil_rvalid || s_axil_rready);
    assign s_axil_awready = write;
    assign s_axil_wready = write;
    assign s_axil_arready = read;
    assign s_axil_bresp = {error, 1'b0};
    assign s_axil_rresp = 2'b0;
    assign irq = busy == 0;
    always @(posedge clk) begin
        if (busy != 0) busy <= busy - 1;
        if (write || s_axil_bready) s_axil_bvalid <= write;
        if (write) begin
            error <= s_axil_awaddr[24];
            if (s_axil_awaddr == 25'h10) busy <= s_axil_wdata;
            else memory[s_axil_awaddr[13:2]] <= s_axil_wdata;
        end
        if (read || s_axil_rready) s_axil_rvalid <= read;
        if (read) s_axil_rdata <= memory[s_axil_araddr[13:2]];
        if (rst) begin
            s_axil_bvalid <= 0;
            s_axil_rvalid <= 0;
            busy <= 0;
        end
    end
endmodule
