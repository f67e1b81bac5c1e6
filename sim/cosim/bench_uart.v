// Bench around a core with a UART: clock, reset, and a host that plays batches of bytes and delays at the pin.
//
// serial_bench.py describes the batches that it gets, and what it answers. What the core sends is kept, as an operating system
// would, until it is asked for.
`timescale 1ns / 1ps

`NARROWS_BENCH(bench)
    localparam SEND = 1, RECEIVE = 2, RESET = 4, NOISE = 5, UNPLUG = 7; // serial_bench.py: LineCommand
    localparam S_RESET = 0, S_IDLE = 1, S_FETCH = 2, S_SEND = 3, S_RECEIVE = 4, S_WAIT = 5, S_END = 6;
    localparam DIVISOR = `NARROWS_UART_DIVISOR;
    localparam KEPT_LOG2 = 12;

    `NARROWS_HOST
    reg rst = 1;

    // To the core: `noise` of 2**24 cycles see the line turned over.
    reg [31:0] noise = 0;
    reg [47:0] dice = 48'h2545f4914f6c;
    reg line = 1;
    wire tx, irq;

    // The plug: out `out_in` cycles from now, for `out_for`. Who plugs it in amid a byte may see an end where there is none.
    reg [31:0] out_in = 0, out_for = 0, idle = 0;
    reg doubtful = 0;
    wire unplugged = out_in == 0 && out_for != 0;
    wire rx = unplugged || line ^ (dice[31:8] < noise[23:0]);
    wire heard = unplugged || tx;
    `NARROWS_FLASH_CHIP
    `NARROWS_GATE
    narrows_core core (
        `NARROWS_STORE_PORTS
        `NARROWS_FLASH_PORTS
        `NARROWS_GATE_PORTS
        .clk(clk), .rst(rst), .irq(irq), .uart_rx(rx), .uart_tx(tx)
    );
    `NARROWS_QUICK_STORE

    reg [2:0] state = S_RESET;
    reg [63:0] cycles = 0;
    reg [31:0] head, count, value;
    reg [63:0] left = 0;
    reg [31:0] wait_bit = 0, quiet = 0;
    reg [9:0] bits = 0;
    reg [3:0] bits_left = 0;

    // From the core: sampled in the middle of each bit.
    reg [7:0] kept [0:(1 << KEPT_LOG2) - 1];
    reg [KEPT_LOG2:0] kept_in = 0, kept_out = 0;
    reg tx_was = 1;
    reg [31:0] sample_wait = 0;
    reg [3:0] samples_left = 0;
    reg [8:0] shift = 0;
    reg [31:0] broken = 0;
    wire sending = samples_left != 0;

    always @(posedge clk) begin
        cycles <= cycles + 1;
        dice <= {dice[46:0], dice[47] ^ dice[46] ^ dice[20] ^ dice[19]};
        if (out_in != 0) out_in <= out_in - 1;
        else if (out_for != 0) out_for <= out_for - 1;
        idle <= heard && !unplugged ? idle + 1 : 0;
        if (unplugged) doubtful <= 1;
        else if (idle >= 10 * DIVISOR) doubtful <= 0;
        tx_was <= heard;
        if (!sending) begin
            if (tx_was && !heard && !rst) begin
                samples_left <= 10;
                sample_wait <= DIVISOR / 2 - 1;
            end
        end else if (sample_wait != 0) sample_wait <= sample_wait - 1;
        else begin
            sample_wait <= DIVISOR - 1;
            samples_left <= samples_left - 1;
            shift <= {heard, shift[8:1]};
            if (samples_left == 1) begin
                if (heard) begin
                    kept[kept_in[KEPT_LOG2-1:0]] <= shift[8:1];
                    kept_in <= kept_in + 1;
                end else if (!doubtful) broken <= broken + 1;
            end
        end

        case (state)
            S_RESET: if (cycles == 8) begin
                rst <= 0;
                state <= S_IDLE;
            end

            S_IDLE: begin
                await_batch;
                state <= S_FETCH;
            end

            S_FETCH: begin
                if (in_batch == 0) state <= S_END;
                else begin
                    take(head);
                    take(count);
                    left <= count;
                    quiet <= 0;
                    bits_left <= 0;
                    wait_bit <= 0;
                    case (head)
                        SEND: state <= S_SEND;
                        RECEIVE: begin
                            take(value);  // bit times without a byte
                            state <= S_RECEIVE;
                        end
                        RESET: begin
                            rst <= 1;
                            state <= S_WAIT;
                        end
                        NOISE: noise <= count;
                        UNPLUG: begin
                            take(value);  // cycles until then
                            out_in <= value;
                            out_for <= count;
                        end
                        default: state <= S_END;
                    endcase
                end
            end

            S_SEND: if (wait_bit != 0) wait_bit <= wait_bit - 1;
            else if (bits_left != 0) begin
                line <= bits[0];
                bits <= {1'b1, bits[9:1]};
                bits_left <= bits_left - 1;
                wait_bit <= DIVISOR - 1;
            end else if (left != 0) begin
                take(value);
                line <= 0;
                bits <= {2'b11, value[7:0]};
                bits_left <= 9;
                wait_bit <= DIVISOR - 1;
                left <= left - 1;
            end else state <= S_FETCH;

            S_RECEIVE: begin
                quiet <= sending || !heard ? 0 : quiet + 1;
                if (left == 0 || quiet / DIVISOR >= value) state <= S_FETCH;
                else if (kept_in != kept_out) begin
                    $fwrite(responses, "%02h", kept[kept_out[KEPT_LOG2-1:0]]);
                    kept_out <= kept_out + 1;
                    left <= left - 1;
                    quiet <= 0;
                end
            end

            S_WAIT: begin
                left <= left - 1;
                if (left <= 1) begin
                    rst <= 0;
                    state <= S_FETCH;
                end
            end

            S_END: begin
                drop_rest;
                $fwrite(responses, "%08h%08h%08h\n", cycles[63:32], cycles[31:0], broken + bus_violations + flash_violations);
                $fflush(responses);
                state <= S_IDLE;
            end

            default: state <= S_IDLE;
        endcase
    end
endmodule

