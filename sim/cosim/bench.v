// Bench around a core: clock, reset, and an AXI4-Lite host that plays a file of commands without Python in the cycle loop.
//
// A toggle of `start` plays commands.bin of the working folder; a toggle of `done` says that responses.hex is written.
// player.py describes both files. Reads and writes are pipelined; one kind waits for the other to finish.
`timescale 1ns / 1ps

module bench;
    localparam WRITE = 1, READ = 2, WAIT = 3;               // player.py: Command
    localparam S_RESET = 0, S_IDLE = 1, S_FETCH = 2, S_WRITE = 3, S_READ = 4, S_WAIT = 5, S_END = 6;
    localparam SETTLE = 8;                                  // cycles a start may take until irq falls
    localparam BUS_TIMEOUT = 100000;                        // cycles without a handshake that count as a dead bus

    reg start /* verilator public_flat_rw */ = 0;
    reg done /* verilator public_flat_rd */ = 0;

    reg clk = 0;
    reg rst = 1;
    always #5 clk = !clk;

    reg [24:0] awaddr = 0, araddr = 0;
    reg [31:0] wdata = 0;
    reg awvalid = 0, wvalid = 0, arvalid = 0;
    wire awready, wready, arready, bvalid, rvalid, irq;
    wire [1:0] bresp, rresp;
    wire [31:0] rdata;

    narrows_core core (
        .clk(clk), .rst(rst), .irq(irq),
        .s_axil_awaddr(awaddr), .s_axil_awvalid(awvalid), .s_axil_awready(awready),
        .s_axil_wdata(wdata), .s_axil_wstrb(4'b1111), .s_axil_wvalid(wvalid), .s_axil_wready(wready),
        .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(1'b1),
        .s_axil_araddr(araddr), .s_axil_arvalid(arvalid), .s_axil_arready(arready),
        .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid), .s_axil_rready(1'b1)
    );

    reg [2:0] state = S_RESET;
    reg seen = 0;
    reg [63:0] cycles = 0;
    reg [31:0] left = 0, pending = 0, idle = 0, waited = 0;
    reg [31:0] errors = 0, error_address = 0, timed_out = 0, dead = 0;
    reg [24:0] retire_address = 0;
    reg [31:0] head, count, value;
    integer commands, responses, got;

    wire write_accepted = (!awvalid || awready) && (!wvalid || wready);
    wire handshake = (awvalid && awready) || (wvalid && wready) || (arvalid && arready) || bvalid || rvalid;

    always @(posedge clk) begin
        cycles <= cycles + 1;
        if (awready) awvalid <= 0;
        if (wready) wvalid <= 0;
        if (arready) arvalid <= 0;

        if (rvalid) $fwrite(responses, "%08h", rdata);
        if (bvalid || rvalid) begin
            retire_address <= retire_address + 4;
            if (bvalid ? bresp != 0 : rresp != 0) begin
                errors <= errors + 1;
                if (errors == 0) error_address <= {7'b0, retire_address};
            end
        end

        case (state)
            S_RESET: if (cycles == 8) begin
                rst <= 0;
                state <= S_IDLE;
            end

            S_IDLE: if (start != seen) begin
                seen <= start;
                commands = $fopen("commands.bin", "rb");
                responses = $fopen("responses.hex", "wb");
                errors <= 0;
                timed_out <= 0;
                dead <= 0;
                state <= S_FETCH;
            end

            S_FETCH: begin
                got = $fread(head, commands);
                if (got != 4) state <= S_END;
                else begin
                    got = $fread(count, commands);
                    left <= count;
                    pending <= 0;
                    idle <= 0;
                    waited <= 0;
                    retire_address <= head[24:0];
                    awaddr <= head[24:0] - 4;
                    araddr <= head[24:0] - 4;
                    case (head[31:28])
                        WRITE: state <= S_WRITE;
                        READ: state <= S_READ;
                        default: state <= S_WAIT;
                    endcase
                end
            end

            S_WRITE: begin
                pending <= pending + (left != 0 && write_accepted) - bvalid;
                if (left != 0 && write_accepted) begin
                    got = $fread(value, commands);
                    wdata <= value;
                    awaddr <= awaddr + 4;
                    awvalid <= 1;
                    wvalid <= 1;
                    left <= left - 1;
                end
                if (left == 0 && pending == bvalid) state <= S_FETCH;
            end

            S_READ: begin
                pending <= pending + (left != 0 && (!arvalid || arready)) - rvalid;
                if (left != 0 && (!arvalid || arready)) begin
                    araddr <= araddr + 4;
                    arvalid <= 1;
                    left <= left - 1;
                end
                if (left == 0 && pending == rvalid) state <= S_FETCH;
            end

            S_WAIT: begin
                waited <= waited + 1;
                if (waited >= SETTLE && irq) state <= S_FETCH;
                else if (waited >= SETTLE && waited - SETTLE >= left) begin
                    timed_out <= 1;
                    state <= S_END;
                end
            end

            S_END: begin
                $fwrite(responses, "%08h%08h%08h%08h%08h%08h",
                        cycles[63:32], cycles[31:0], errors, error_address, timed_out, dead);
                $fclose(responses);
                $fclose(commands);
                done <= !done;
                state <= S_IDLE;
            end

            default: state <= S_IDLE;
        endcase

        if (state == S_WRITE || state == S_READ) begin
            idle <= handshake ? 0 : idle + 1;
            if (idle == BUS_TIMEOUT) begin
                dead <= 1;
                awvalid <= 0;
                wvalid <= 0;
                arvalid <= 0;
                state <= S_END;
            end
        end
    end
endmodule
