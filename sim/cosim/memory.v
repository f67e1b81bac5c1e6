// Memory behind the AXI4 port of a core, for bench.v: latency and bandwidth as set, random stalls, and a watch on the protocol.
//
// A burst's first beat comes `latency` cycles after its address was taken, then a beat every `pace` cycles; reads and writes do not
// slow each other down. An acknowledgement comes `latency` cycles after a burst's last beat. `stall` of 256 tries of any
// handshake fail; `seed` says which. Addresses beyond the memory answer SLVERR.
//
// `habits` are what AXI4 lets a slave do, but few do: bit 0, it takes a write's address only while its first beat is on offer;
// bit 1, it takes a burst's beats first and its address after the last one; bit 2, it drops a ready that met no valid;
// bit 3, a beat read or a burst written of 256 fails, with DECERR; bit 4, it answers nothing and takes nothing any more;
// bit 5, every beat read and burst written fails, with SLVERR or DECERR by chance.

module narrows_memory #(parameter BUS_BITS = 64, parameter WORDS_LOG2 = 22) (
    input clk, input rst,
    input [31:0] latency, input [31:0] pace, input [7:0] stall, input [31:0] seed, input seeded, input [5:0] habits,
    output reg [31:0] violations,
    input [31:0] araddr, input [7:0] arlen, input [2:0] arsize, input [1:0] arburst, input arvalid, output arready,
    output reg [BUS_BITS-1:0] rdata, output reg [1:0] rresp, output reg rlast, output reg rvalid, input rready,
    input [31:0] awaddr, input [7:0] awlen, input [2:0] awsize, input [1:0] awburst, input awvalid, output awready,
    input [BUS_BITS-1:0] wdata, input [BUS_BITS/8-1:0] wstrb, input wlast, input wvalid, output wready,
    output reg [1:0] bresp, output reg bvalid, input bready
);
    localparam LANES = BUS_BITS / 32, LANES_LOG2 = $clog2(LANES), BYTES_LOG2 = $clog2(BUS_BITS / 8);
    localparam DEPTH = 32;

    reg [31:0] words [0:(1 << WORDS_LOG2) - 1];
    integer init;
    initial for (init = 0; init < 1 << WORDS_LOG2; init = init + 1) words[init] = 0;

    reg [31:0] now;
    reg [31:0] noise;
    wire [7:0] dice0 = noise[7:0], dice1 = noise[12:5], dice2 = noise[17:10], dice3 = noise[22:15], dice4 = noise[27:20];

    // Bursts whose addresses were taken, and when their first beats, or acknowledgements, are due.
    reg [31:0] read_address [0:DEPTH-1], read_due [0:DEPTH-1];
    reg [7:0] read_length [0:DEPTH-1];
    reg [5:0] read_in, read_out;
    reg [31:0] write_address [0:DEPTH-1];
    reg [7:0] write_length [0:DEPTH-1];
    reg [5:0] write_in, write_out;
    reg [31:0] answer_due [0:DEPTH-1];
    reg [1:0] answer_bad [0:DEPTH-1];
    reg [5:0] answer_in, answer_out;
    reg [7:0] read_beat, write_beat;
    reg [31:0] read_wait, write_wait;
    reg write_bad;

    wire [5:0] reads = read_in - read_out, writes = write_in - write_out, answers = answer_in - answer_out;
    // A slave that has offered to take something may not take it back, but may offer it before there is anything.
    wire both = habits[0], data_first = habits[1], fickle = habits[2], faulty = habits[3], dead = habits[4], failing = habits[5];
    reg ar_open, aw_open, w_open;
    wire flicker = !fickle || noise[30:29] == 0;
    // a burst whose beats came before its address
    reg [BUS_BITS-1:0] held_data [0:255];
    reg [BUS_BITS/8-1:0] held_strobe [0:255];
    reg [8:0] held, placed;
    reg held_whole, placing;
    reg [31:0] place_byte;
    wire place_beyond = |(place_byte >> (WORDS_LOG2 + 2));
    wire [WORDS_LOG2-1:0] place_word = place_byte[WORDS_LOG2+1:2];
    assign arready = !dead && ar_open && flicker && reads < DEPTH;
    assign awready = !dead && aw_open && flicker && writes < DEPTH && (!both || wvalid) && (!data_first || (held_whole && !placing));
    assign wready = !dead && w_open && flicker && write_wait == 0 && (data_first ? !held_whole : writes != 0);

    wire [31:0] read_byte = read_address[read_out[4:0]] + (read_beat << BYTES_LOG2);
    wire [31:0] write_byte = write_address[write_out[4:0]] + (write_beat << BYTES_LOG2);
    wire read_beyond = |(read_byte >> (WORDS_LOG2 + 2)), write_beyond = |(write_byte >> (WORDS_LOG2 + 2));
    wire [WORDS_LOG2-1:0] read_word = read_byte[WORDS_LOG2+1:2], write_word = write_byte[WORDS_LOG2+1:2];
    wire read_due_now = reads != 0 && $signed(now - read_due[read_out[4:0]]) >= 0 && read_wait == 0 && dice2 >= stall;
    wire read_last = read_beat == read_length[read_out[4:0]];
    wire write_last = write_beat == write_length[write_out[4:0]];
    wire read_fails = failing || (faulty && noise[28:21] == 0), write_fails = failing || (faulty && noise[26:19] == 0);
    wire [1:0] fails_with = {1'b1, !failing || noise[3]};

    // What must not change while a handshake waits.
    reg ar_held, aw_held, w_held;
    reg [44:0] ar_was, aw_was;
    reg [BUS_BITS + BUS_BITS/8:0] w_was;
    wire [44:0] ar_is = {araddr, arlen, arsize, arburst}, aw_is = {awaddr, awlen, awsize, awburst};
    wire [BUS_BITS + BUS_BITS/8:0] w_is = {wdata, wstrb, wlast};
    function crosses(input [31:0] address, input [7:0] length);
        crosses = {20'b0, address[11:0]} + (({24'b0, length} + 1) << BYTES_LOG2) > 4096;
    endfunction

    integer lane;
    always @(posedge clk) begin
        now <= now + 1;
        noise <= {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]} ^ (noise << 7);
        ar_open <= dice0 >= stall;
        aw_open <= dice1 >= stall;
        w_open <= dice3 >= stall;
        if (read_wait != 0) read_wait <= read_wait - 1;
        if (write_wait != 0) write_wait <= write_wait - 1;

        if (arvalid && arready) begin
            read_address[read_in[4:0]] <= araddr;
            read_length[read_in[4:0]] <= arlen;
            read_due[read_in[4:0]] <= now + latency - 1;
            read_in <= read_in + 1;
        end
        if (rready) rvalid <= 0;
        if ((!rvalid || rready) && read_due_now && !dead) begin
            rvalid <= 1;
            for (lane = 0; lane < LANES; lane = lane + 1) rdata[32*lane +: 32] <= words[read_word + lane];
            rresp <= read_beyond ? 2 : read_fails ? fails_with : 0;
            rlast <= read_last;
            read_beat <= read_last ? 0 : read_beat + 1;
            read_out <= read_out + read_last;
            read_wait <= pace - 1;
        end

        if (awvalid && awready && data_first) begin
            placing <= 1;
            placed <= 0;
            place_byte <= awaddr;
            if (held != awlen + 1) violations <= violations + 1;
        end else if (awvalid && awready) begin
            write_address[write_in[4:0]] <= awaddr;
            write_length[write_in[4:0]] <= awlen;
            write_in <= write_in + 1;
        end
        if (wvalid && wready && data_first) begin
            held_data[held] <= wdata;
            held_strobe[held] <= wstrb;
            held <= held + 1;
            held_whole <= wlast;
            write_wait <= pace - 1;
        end else if (wvalid && wready) begin
            for (lane = 0; lane < BUS_BITS / 8; lane = lane + 1)
                if (wstrb[lane] && !write_beyond) words[write_word + lane / 4][8 * (lane % 4) +: 8] <= wdata[8*lane +: 8];
            write_beat <= write_last ? 0 : write_beat + 1;
            write_bad <= write_last ? 0 : write_bad | write_beyond;
            write_out <= write_out + write_last;
            write_wait <= pace - 1;
            if (write_last) begin
                answer_due[answer_in[4:0]] <= now + latency - 1;
                answer_bad[answer_in[4:0]] <= write_bad | write_beyond ? 2 : write_fails ? fails_with : 0;
                answer_in <= answer_in + 1;
            end
        end
        if (placing) begin
            for (lane = 0; lane < BUS_BITS / 8; lane = lane + 1)
                if (held_strobe[placed][lane] && !place_beyond)
                    words[place_word + lane / 4][8 * (lane % 4) +: 8] <= held_data[placed][8*lane +: 8];
            placed <= placed + 1;
            place_byte <= place_byte + BUS_BITS / 8;
            if (placed + 1 == held) begin
                placing <= 0;
                held <= 0;
                held_whole <= 0;
                answer_due[answer_in[4:0]] <= now + latency - 1;
                answer_bad[answer_in[4:0]] <= place_beyond ? 2 : write_fails ? fails_with : 0;
                answer_in <= answer_in + 1;
            end
        end
        if (bready) bvalid <= 0;
        if ((!bvalid || bready) && answers != 0 && $signed(now - answer_due[answer_out[4:0]]) >= 0 && dice4 >= stall && !dead) begin
            bvalid <= 1;
            bresp <= answer_bad[answer_out[4:0]];
            answer_out <= answer_out + 1;
        end

        ar_held <= arvalid && !arready;
        aw_held <= awvalid && !awready;
        w_held <= wvalid && !wready;
        ar_was <= ar_is;
        aw_was <= aw_is;
        w_was <= w_is;
        if ((ar_held && (!arvalid || ar_is != ar_was)) || (aw_held && (!awvalid || aw_is != aw_was))
                || (w_held && (!wvalid || w_is != w_was))
                || (arvalid && (arburst != 1 || arsize != BYTES_LOG2 || crosses(araddr, arlen)))
                || (awvalid && (awburst != 1 || awsize != BYTES_LOG2 || crosses(awaddr, awlen)))
                || (wvalid && wready && !data_first && wlast != write_last))
            violations <= violations + 1;

        if (seeded) noise <= seed;
        if (rst) begin
            {now, violations, held, held_whole, placing} <= 0;
            noise <= 32'h2545f491;
            {read_in, read_out, write_in, write_out, answer_in, answer_out} <= 0;
            {read_beat, write_beat, read_wait, write_wait, write_bad} <= 0;
            {ar_open, aw_open, w_open, ar_held, aw_held, w_held, rvalid, bvalid} <= 0;
        end
    end

    // bench.v reads and writes the memory at once
    task put(input [31:0] index, input [31:0] value);
        words[index[WORDS_LOG2-1:0]] = value;
    endtask
    function [31:0] get(input [31:0] index);
        get = words[index[WORDS_LOG2-1:0]];
    endfunction
endmodule
