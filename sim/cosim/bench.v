// Bench around a core: clock, reset, and an AXI4-Lite host that plays batches of commands; it waits for each, and time stands still.
// Before a core with another port stands the master of wishbone.v or bare.v.
//
// player.py describes commands and responses. Reads and writes are pipelined; one kind waits for the other to finish.
`timescale 1ns / 1ps

`NARROWS_BENCH(bench)
    localparam WRITE = 1, READ = 2, WAIT = 3, STORE_WRITE = 4, STORE_READ = 5, STORE_SET = 6, HOST_SET = 7,
        STREAM_SEND = 8, STREAM_SET = 9, STREAM_TAKE = 10, PAUSE = 11, RESET = 12, STRIKE = 13; // player.py: Command
    localparam S_RESET = 0, S_IDLE = 1, S_FETCH = 2, S_WRITE = 3, S_READ = 4, S_WAIT = 5, S_END = 6, S_TAKE = 7,
        S_PAUSE = 8;
    localparam SETTLE = 8;                                  // cycles a start may take until irq falls
    localparam BUS_TIMEOUT = 100000;                        // cycles without a handshake that count as a dead bus

    `NARROWS_HOST
    reg rst = 1;

    reg [25:0] awaddr = 0, araddr = 0;
    reg [31:0] wdata = 0;
    reg awvalid = 0, wvalid = 0, arvalid = 0;
    wire awready, wready, arready, bvalid, rvalid, irq;

    // With stalls, what the host has ready waits before it is offered, and answers wait before they are taken.
    reg [31:0] host_stall = 0;
    reg [31:0] noise = 32'h2545f491;
    reg aw_open = 1, w_open = 1, ar_open = 1, bready = 1, rready = 1;
    wire aw_try = awvalid && aw_open, w_try = wvalid && w_open, ar_try = arvalid && ar_open;
    wire aw_done = aw_try && awready, w_done = w_try && wready, ar_done = ar_try && arready;
    wire b_done = bvalid && bready, r_done = rvalid && rready;
    wire [1:0] bresp, rresp;
    wire [31:0] rdata;

    // A core with a backing store finds memory.v there; the host reads and writes that at once, without a bus.
    wire [31:0] violations, bus_violations, host_violations, stream_violations;
    assign violations = bus_violations + host_violations + flash_violations + stream_violations;
    reg [31:0] latency = 1, pace = 1, stall = 0, seed = 0, habits = 0;
    reg seeded = 0;
`ifdef NARROWS_BUS_BITS
    `NARROWS_STORE
`else
    assign bus_violations = 0;
`endif
    `NARROWS_FLASH_CHIP
    `NARROWS_GATE

    // With streams: who sends frames, and who takes answers.
    reg [31:0] frame_stall = 0, answer_stall = 0, answered = 0, shown = 0;
`ifdef NARROWS_STREAMS
    wire s_tvalid, s_tready, s_tlast, s_tuser, m_tvalid, m_tready, m_tlast, m_tuser;
    wire [7:0] s_tdata, m_tdata;
    narrows_streams streams (
        .clk(clk), .rst(rst), .frame_stall(frame_stall[7:0]), .answer_stall(answer_stall[7:0]), .violations(stream_violations),
        .s_tvalid(s_tvalid), .s_tready(s_tready), .s_tdata(s_tdata), .s_tlast(s_tlast), .s_tuser(s_tuser),
        .m_tvalid(m_tvalid), .m_tready(m_tready), .m_tdata(m_tdata), .m_tlast(m_tlast), .m_tuser(m_tuser)
    );
`else
    assign stream_violations = 0;
`endif

`ifdef NARROWS_BARE
    wire host_valid, host_ready, host_we, host_done, host_refused;
    wire [23:0] host_adr;
    wire [31:0] host_dat_w, host_dat_r;
    narrows_bare_master master (
        .clk(clk), .rst(rst), .stall(host_stall[7:0]), .violations(host_violations),
        .awaddr(awaddr), .awvalid(aw_try), .awready(awready), .wdata(wdata), .wvalid(w_try), .wready(wready),
        .bresp(bresp), .bvalid(bvalid), .bready(bready), .araddr(araddr), .arvalid(ar_try), .arready(arready),
        .rdata(rdata), .rresp(rresp), .rvalid(rvalid), .rready(rready),
        .valid(host_valid), .ready(host_ready), .we(host_we), .adr(host_adr), .dat_w(host_dat_w),
        .done(host_done), .refused(host_refused), .dat_r(host_dat_r)
    );
`elsif NARROWS_WISHBONE
    wire wb_cyc, wb_stb, wb_we, wb_ack, wb_err;
    wire [23:0] wb_adr;
    wire [3:0] wb_sel;
    wire [31:0] wb_dat_w, wb_dat_r;
    narrows_wishbone_master master (
        .clk(clk), .rst(rst), .stall(host_stall[7:0]), .violations(host_violations),
        .awaddr(awaddr), .awvalid(aw_try), .awready(awready), .wdata(wdata), .wvalid(w_try), .wready(wready),
        .bresp(bresp), .bvalid(bvalid), .bready(bready), .araddr(araddr), .arvalid(ar_try), .arready(arready),
        .rdata(rdata), .rresp(rresp), .rvalid(rvalid), .rready(rready),
        .cyc(wb_cyc), .stb(wb_stb), .we(wb_we), .adr(wb_adr), .sel(wb_sel), .dat_w(wb_dat_w), .dat_r(wb_dat_r),
        .ack(wb_ack), .err(wb_err)
    );
`else
    // What must not change while an answer waits.
    reg b_held = 0, r_held = 0;
    reg [1:0] b_was = 0;
    reg [33:0] r_was = 0;
    reg [31:0] broken = 0;
    assign host_violations = broken;
    always @(posedge clk) begin
        b_held <= bvalid && !bready && !rst;
        r_held <= rvalid && !rready && !rst;
        b_was <= bresp;
        r_was <= {rdata, rresp};
        if ((b_held && (!bvalid || bresp != b_was)) || (r_held && (!rvalid || {rdata, rresp} != r_was))) broken <= broken + 1;
    end
`endif

    narrows_core core (
        `NARROWS_STORE_PORTS
`ifdef NARROWS_STREAMS
        .s_axis_tvalid(s_tvalid), .s_axis_tready(s_tready), .s_axis_tdata(s_tdata), .s_axis_tlast(s_tlast), .s_axis_tuser(s_tuser),
        .m_axis_tvalid(m_tvalid), .m_axis_tready(m_tready), .m_axis_tdata(m_tdata), .m_axis_tlast(m_tlast), .m_axis_tuser(m_tuser),
`endif
        `NARROWS_FLASH_PORTS
        `NARROWS_GATE_PORTS
        .clk(clk), .rst(rst), .irq(irq),
`ifdef NARROWS_BARE
        .host_valid(host_valid), .host_ready(host_ready), .host_we(host_we), .host_adr(host_adr), .host_dat_w(host_dat_w),
        .host_done(host_done), .host_refused(host_refused), .host_dat_r(host_dat_r)
`elsif NARROWS_WISHBONE
        .s_wb_cyc(wb_cyc), .s_wb_stb(wb_stb), .s_wb_we(wb_we), .s_wb_adr(wb_adr), .s_wb_sel(wb_sel),
        .s_wb_dat_w(wb_dat_w), .s_wb_dat_r(wb_dat_r), .s_wb_ack(wb_ack), .s_wb_err(wb_err)
`else
        .s_axil_awaddr(awaddr), .s_axil_awvalid(aw_try), .s_axil_awready(awready),
        .s_axil_wdata(wdata), .s_axil_wstrb(4'b1111), .s_axil_wvalid(w_try), .s_axil_wready(wready),
        .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(bready),
        .s_axil_araddr(araddr), .s_axil_arvalid(ar_try), .s_axil_arready(arready),
        .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid), .s_axil_rready(rready)
`endif
    );

    reg [3:0] state = S_RESET;
    reg [63:0] cycles = 0;
    reg [31:0] left = 0, pending = 0, idle = 0, waited = 0;
    reg [31:0] errors = 0, error_address = 0, timed_out = 0, dead = 0;
    reg [25:0] retire_address = 0;
    reg [31:0] head, count, value;
    integer index;

`ifdef NARROWS_STRIKES  // bits of its memories that the core's task `strike` flips together, some cycles from now
    reg [31:0] strikes = 0, strike_in = 0;
    reg [31:0] strike_array [0:15], strike_word [0:15], strike_bit [0:15];
`endif

    wire write_accepted = (!awvalid || aw_done) && (!wvalid || w_done);
    wire handshake = aw_done || w_done || ar_done || b_done || r_done;

    always @(posedge clk) begin
        cycles <= cycles + 1;
        seeded <= 0;
        noise <= {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]} ^ (noise << 7);
        if (!aw_try || awready) aw_open <= noise[7:0] >= host_stall;
        if (!w_try || wready) w_open <= noise[12:5] >= host_stall;
        if (!ar_try || arready) ar_open <= noise[17:10] >= host_stall;
        bready <= noise[22:15] >= host_stall;
        rready <= noise[27:20] >= host_stall;
        if (aw_done) awvalid <= 0;
        if (w_done) wvalid <= 0;
        if (ar_done) arvalid <= 0;

`ifdef NARROWS_STRIKES
        if (strikes != 0) strike_in <= strike_in - 1;
        if (strikes != 0 && strike_in == 0) begin
            for (index = 0; index < strikes; index = index + 1)
                core.strike(strike_array[index], strike_word[index], strike_bit[index]);
            strikes <= 0;
        end
`endif
        if (r_done) $fwrite(responses, "%08h", rdata);
        if (b_done || r_done) begin
            retire_address <= retire_address + 4;
            if (b_done ? bresp != 0 : rresp != 0) begin
                errors <= errors + 1;
                if (errors == 0) error_address <= {7'b0, retire_address};
            end
        end

        case (state)
            S_RESET: if (cycles == 8) begin
                rst <= 0;
                state <= S_IDLE;
            end

            S_IDLE: begin
                await_batch;
                errors <= 0;
                timed_out <= 0;
                dead <= 0;
                state <= S_FETCH;
            end

            S_FETCH: begin
                if (in_batch == 0) state <= S_END;
                else begin
                    take(head);
                    take(count);
                    left <= count;
                    pending <= 0;
                    idle <= 0;
                    waited <= 0;
                    retire_address <= head[25:0];
                    awaddr <= head[25:0] - 4;
                    araddr <= head[25:0] - 4;
                    case (head[31:28])
                        WRITE: state <= S_WRITE;
                        READ: state <= S_READ;
                        WAIT: state <= S_WAIT;
                        STREAM_TAKE: state <= S_TAKE;
                        PAUSE: state <= S_PAUSE;
                        RESET: begin
                            rst <= 1;
                            state <= S_PAUSE;
                        end
                        STREAM_SET: begin
                            take(value);
                            frame_stall <= value;
                            take(value);
                            answer_stall <= value;
                        end
                        STORE_SET: begin
                            take(value);
                            latency <= value;
                            take(value);
                            pace <= value;
                            take(value);
                            stall <= value;
                            take(value);
                            seed <= value;
                            seeded <= value != 0;
                            take(value);
                            habits <= value;
                        end
                        HOST_SET: begin
                            take(value);
                            host_stall <= value;
                        end
`ifdef NARROWS_STRIKES
                        STRIKE: begin
                            strikes <= head[27:0];
                            strike_in <= count;
                            for (index = 0; index < head[27:0]; index = index + 1) begin
                                take(strike_array[index]);
                                take(strike_word[index]);
                                take(strike_bit[index]);
                            end
                        end
`endif
                        default: for (index = 0; index < count; index = index + 1) begin
`ifdef NARROWS_STREAMS
                            if (head[31:28] == STREAM_SEND) begin
                                take(value);
                                streams.send(value);
                            end
`endif
`ifdef NARROWS_BUS_BITS
                            if (head[31:28] == STORE_WRITE) begin
                                take(value);
                                memory.put(head[27:0] / 4 + index, value);
                            end else if (head[31:28] == STORE_READ) $fwrite(responses, "%08h", memory.get(head[27:0] / 4 + index));
`endif
                        end
                    endcase
                end
            end

            S_WRITE: begin
                pending <= pending + (left != 0 && write_accepted) - b_done;
                if (left != 0 && write_accepted) begin
                    take(value);
                    wdata <= value;
                    awaddr <= awaddr + 4;
                    awvalid <= 1;
                    wvalid <= 1;
                    left <= left - 1;
                end
                if (left == 0 && pending == b_done) state <= S_FETCH;
            end

            S_READ: begin
                pending <= pending + (left != 0 && (!arvalid || ar_done)) - r_done;
                if (left != 0 && (!arvalid || ar_done)) begin
                    araddr <= araddr + 4;
                    arvalid <= 1;
                    left <= left - 1;
                end
                if (left == 0 && pending == r_done) state <= S_FETCH;
            end

            S_WAIT: begin
                waited <= waited + 1;
                if (waited >= SETTLE && irq) state <= S_FETCH;
                else if (waited >= SETTLE && waited - SETTLE >= left) begin
                    timed_out <= 1;
                    state <= S_END;
                end
            end

`ifdef NARROWS_STREAMS
            S_TAKE: begin  // so many whole answers
                waited <= waited + 1;
                if (streams.whole - answered >= head[27:0]) begin
                    for (index = 0; index < head[27:0]; index = index) begin
                        $fwrite(responses, "%08h", {22'b0, streams.answers[shown[19:0]]});
                        if (streams.answers[shown[19:0]][8]) index = index + 1;
                        shown = shown + 1;
                    end
                    answered <= answered + head[27:0];
                    state <= S_FETCH;
                end else if (waited >= left) begin
                    timed_out <= 1;
                    state <= S_END;
                end
            end
`endif

            S_PAUSE: begin  // perhaps in reset
                waited <= waited + 1;
                if (waited >= left) begin
                    rst <= 0;
                    state <= S_FETCH;
                end
            end

            S_END: begin
                drop_rest;
                $fwrite(responses, "%08h%08h%08h%08h%08h%08h%08h\n",
                        cycles[63:32], cycles[31:0], errors, error_address, timed_out, dead, violations);
                $fflush(responses);
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
