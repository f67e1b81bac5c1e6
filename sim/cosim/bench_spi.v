// Bench around a core with SPI: clock, reset, and a controller, mode 0, that plays batches of transfers at the pins.
//
// serial_bench.py describes the batches that it gets, and what it answers. A level of sck takes four or five cycles of the core's
// clock, at random.
`timescale 1ns / 1ps

`NARROWS_BENCH(bench)
    localparam TRANSFER = 3, RESET = 4, NOISE = 5, LOSS = 6; // serial_bench.py: LineCommand
    localparam S_RESET = 0, S_IDLE = 1, S_FETCH = 2, S_BYTE = 3, S_LOW = 4, S_HIGH = 5, S_DESELECT = 6, S_WAIT = 7, S_END = 8;
    localparam GAP = 16;

    `NARROWS_HOST
    reg rst = 1;

    // To the core: `noise` of 2**24 cycles see copi turned over, `loss` of 2**24 pulses of sck are lost.
    reg [31:0] noise = 0, loss = 0;
    reg [47:0] dice = 48'h2545f4914f6c;
    reg cs_n = 1, sck = 0, copi = 0;
    wire cipo, driven, irq;
    `NARROWS_FLASH_CHIP
    `NARROWS_GATE
    narrows_core core (
        `NARROWS_STORE_PORTS
        `NARROWS_FLASH_PORTS
        `NARROWS_GATE_PORTS
        .clk(clk), .rst(rst), .irq(irq), .spi_cs_n(cs_n), .spi_sck(sck), .spi_copi(copi ^ (dice[31:8] < noise[23:0])),
        .spi_cipo(cipo), .spi_cipo_oe(driven)
    );
    `NARROWS_QUICK_STORE

    reg [3:0] state = S_RESET;
    reg [63:0] cycles = 0;
    reg [31:0] head, count, value, to_send, to_receive, left = 0, undriven = 0;
    reg [7:0] out, in;
    reg [3:0] bits;
    reg receiving;
    wire [31:0] half = 3 + dice[40];

    always @(posedge clk) begin
        cycles <= cycles + 1;
        dice <= {dice[46:0], dice[47] ^ dice[46] ^ dice[20] ^ dice[19]};

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
                    case (head)
                        TRANSFER: begin
                            take(value);  // bytes to receive
                            to_send <= count;
                            to_receive <= value;
                            cs_n <= 0;
                            state <= S_BYTE;
                        end
                        RESET: begin
                            rst <= 1;
                            left <= count;
                            state <= S_WAIT;
                        end
                        NOISE: noise <= count;
                        LOSS: loss <= count;
                        default: state <= S_END;
                    endcase
                end
            end

            S_BYTE: begin
                bits <= 8;
                left <= half;
                state <= S_LOW;
                receiving <= to_send == 0;
                if (to_send != 0) begin
                    take(value);
                    copi <= value[7];
                    out <= value[7:0] << 1;
                    to_send <= to_send - 1;
                end else if (to_receive != 0) begin
                    out <= {8{copi}};
                    to_receive <= to_receive - 1;
                end else state <= S_DESELECT;
            end

            S_LOW: if (left != 0) left <= left - 1;
            else begin
                sck <= dice[31:8] >= loss[23:0];
                in <= {in[6:0], cipo};
                if (!driven) undriven <= undriven + 1;
                left <= half;
                state <= S_HIGH;
            end

            S_HIGH: if (left != 0) left <= left - 1;
            else begin
                sck <= 0;
                bits <= bits - 1;
                left <= half;
                state <= S_LOW;
                if (bits == 1) begin
                    if (receiving) $fwrite(responses, "%02h", in);
                    state <= S_BYTE;
                end else begin
                    copi <= out[7];
                    out <= out << 1;
                end
            end

            S_DESELECT: if (left != 0) left <= left - 1;
            else begin
                cs_n <= 1;
                left <= GAP;
                state <= S_WAIT;
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
                $fwrite(responses, "%08h%08h%08h\n", cycles[63:32], cycles[31:0], undriven + bus_violations + flash_violations);
                $fflush(responses);
                state <= S_IDLE;
            end

            default: state <= S_IDLE;
        endcase
    end
endmodule

