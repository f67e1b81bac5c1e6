// An SDRAM chip of four banks at its pins (JEDEC JESD21-C, 3.11.5), and a watch on what its data sheet asks for.
//
// Commands are taken with the rising edge of `clk`. A datum read is on the pins from half a period after the edge before the one
// that the CAS latency names (an access time of 5 to 6 ns, at 100 MHz) for one period. Bursts are of one word. Only the first
// 2**WORDS_LOG2 words exist, counted by row, bank, column.
//
// `violations` counts broken rules, the first ones are told on the simulator's output: order of commands and states of banks; tRCD,
// tRP, tRAS, tRC, tRFC, tWR, tRRD, tMRD; refreshes, none of which may come more than one interval late; both sides driving the
// data pins; what this model does not have.
module narrows_sdram_chip #(
    parameter WORDS_LOG2 = 20, ROW_BITS = 13, COLUMN_BITS = 10, PERIOD_PS = 10000,
    parameter RCD_PS = 21000, RP_PS = 21000, RAS_PS = 42000, RC_PS = 63000, RFC_PS = 63000, WR_PS = 14000, RRD_PS = 14000,
    parameter REFRESH_PS = 7800000, POWER_UP_PS = 200000000
) (
    input clk, cke, cs_n, ras_n, cas_n, we_n, input [1:0] ba, input [12:0] a, input [1:0] dm, inout [15:0] dq,
    output reg [31:0] violations, refreshes, longest_gap, reads, writes, activates
);
    localparam MRD = 2, TOLD = 20, NEVER = 32'h80000000;
    localparam RCD = (RCD_PS + PERIOD_PS - 1) / PERIOD_PS, RP = (RP_PS + PERIOD_PS - 1) / PERIOD_PS;
    localparam RAS = (RAS_PS + PERIOD_PS - 1) / PERIOD_PS, RC = (RC_PS + PERIOD_PS - 1) / PERIOD_PS;
    localparam RFC = (RFC_PS + PERIOD_PS - 1) / PERIOD_PS, WR = (WR_PS + PERIOD_PS - 1) / PERIOD_PS;
    localparam RRD = (RRD_PS + PERIOD_PS - 1) / PERIOD_PS, POWER_UP = POWER_UP_PS / PERIOD_PS;

    reg [15:0] words [0:(1 << WORDS_LOG2) - 1];
    integer index;
    initial for (index = 0; index < 1 << WORDS_LOG2; index = index + 1) words[index] = 0;

    reg [31:0] now = 0;
    reg [3:0] open = 0;
    reg [12:0] row [0:3];
    // when what happened last, and when a precharge that is under way ends
    reg [31:0] activated [0:3], written [0:3], closed [0:3];
    reg [31:0] any_activated = NEVER, refreshed = 0, set = NEVER;
    reg ready = 0, was_cke = 0;
    reg [2:0] latency = 0;
    integer slack = 0;  // ps until the next refresh is due; one interval late is as late as it may be

    // data on their way to the pins, by edges left; `late` delays them by the access time
    reg [15:0] coming [0:2];
    reg [2:0] comes = 0;
    reg [1:0] masked = 0, masked_before = 0;
    reg [15:0] out = 0, late = 0;
    reg [1:0] drive = 0, late_drive = 0;
    assign dq[7:0] = late_drive[0] ? late[7:0] : 8'bz;
    assign dq[15:8] = late_drive[1] ? late[15:8] : 8'bz;

    initial begin
        {violations, refreshes, longest_gap, reads, writes, activates} = 0;
        for (index = 0; index < 4; index = index + 1) begin
            activated[index] = NEVER;
            written[index] = NEVER;
            closed[index] = NEVER;
            row[index] = 0;
        end
    end

    function since(input [31:0] moment, input [31:0] least);
        since = moment == NEVER || now - moment >= least;
    endfunction

    task told(input integer rule);
        begin
            violations = violations + 1;
            if (violations <= TOLD) case (rule)
                1: $display("sdram: cycle %0d: command before power-up is over", now);
                2: $display("sdram: cycle %0d: ACTIVE of a bank that is open", now);
                3: $display("sdram: cycle %0d: tRP", now);
                4: $display("sdram: cycle %0d: tRC", now);
                5: $display("sdram: cycle %0d: tRRD", now);
                6: $display("sdram: cycle %0d: tRFC", now);
                7: $display("sdram: cycle %0d: tMRD", now);
                8: $display("sdram: cycle %0d: READ or WRITE of a bank that is closed", now);
                9: $display("sdram: cycle %0d: tRCD", now);
                10: $display("sdram: cycle %0d: tRAS", now);
                11: $display("sdram: cycle %0d: tWR", now);
                12: $display("sdram: cycle %0d: REFRESH or MODE REGISTER SET while a bank is open", now);
                13: $display("sdram: cycle %0d: mode that is reserved or not modelled: %h", now, a);
                14: $display("sdram: cycle %0d: both sides drive the data pins", now);
                15: $display("sdram: cycle %0d: refresh is late", now);
                16: $display("sdram: cycle %0d: word that does not exist", now);
                17: $display("sdram: cycle %0d: cke falls", now);
                18: $display("sdram: cycle %0d: command before the mode is set", now);
                default: $display("sdram: cycle %0d: BURST STOP, which this model does not have", now);
            endcase
        end
    endtask

    // A precharge of a bank that is closed does nothing.
    task precharge(input [1:0] bank);
        if (open[bank]) begin
            if (!since(activated[bank], RAS)) told(10);
            if (!since(written[bank], WR)) told(11);
            open[bank] = 0;
            closed[bank] = now;
        end
    endtask

    // The chip waits by itself until it may precharge.
    task precharge_later(input [1:0] bank, input [31:0] earliest);
        begin
            open[bank] = 0;
            closed[bank] = $signed(activated[bank] + RAS - earliest) > 0 ? activated[bank] + RAS : earliest;
        end
    endtask

    function precharged(input [1:0] bank);
        precharged = closed[bank] == NEVER || $signed(now - closed[bank]) >= RP;
    endfunction

    wire [31:0] place = {row[ba], ba, {COLUMN_BITS{1'b0}}} | a[COLUMN_BITS-1:0];
    wire exists = place >> WORDS_LOG2 == 0;

    always @(posedge clk) begin
        now = now + 1;
        was_cke <= cke;
        masked <= dm;
        masked_before <= masked;
        if (was_cke && !cke && ready) told(17);
        if (ready) begin
            slack = slack - PERIOD_PS;
            if (slack < -REFRESH_PS) begin
                told(15);
                slack = REFRESH_PS;
            end
        end

        // what the pipeline shows in the next cycle; a mask reaches the pins two cycles later
        out <= coming[0];
        drive <= {2{comes[0]}} & ~masked;
        coming[0] = coming[1];
        coming[1] = coming[2];
        comes = comes >> 1;

        if (was_cke && cke && !cs_n && {ras_n, cas_n, we_n} != 3'b111) begin
            if (now < POWER_UP) told(1);
            if (!since(refreshed, RFC) && refreshes != 0) told(6);
            if (!since(set, MRD)) told(7);
            if (!ready && ({ras_n, cas_n, we_n} == 3'b011 || ras_n)) told(18);
            case ({ras_n, cas_n, we_n})
                3'b011: begin  // ACTIVE
                    activates = activates + 1;
                    if (open[ba]) told(2);
                    if (!precharged(ba)) told(3);
                    if (!since(activated[ba], RC)) told(4);
                    if (!since(any_activated, RRD)) told(5);
                    open[ba] = 1;
                    row[ba] = a[ROW_BITS-1:0];
                    activated[ba] = now;
                    any_activated = now;
                    written[ba] = NEVER;
                end
                3'b101: begin  // READ
                    reads = reads + 1;
                    if (!open[ba]) told(8);
                    if (!since(activated[ba], RCD)) told(9);
                    if (!exists) told(16);
                    coming[latency - 2] = words[place[WORDS_LOG2-1:0]];
                    comes[latency - 2] = 1;
                    if (a[10]) precharge_later(ba, now + 1);
                end
                3'b100: begin  // WRITE
                    writes = writes + 1;
                    if (!open[ba]) told(8);
                    if (!since(activated[ba], RCD)) told(9);
                    if (!exists) told(16);
                    if (late_drive != 0) told(14);
                    if (!dm[0] && exists) words[place[WORDS_LOG2-1:0]][7:0] = dq[7:0];
                    if (!dm[1] && exists) words[place[WORDS_LOG2-1:0]][15:8] = dq[15:8];
                    written[ba] = now;
                    if (a[10]) precharge_later(ba, now + WR);
                end
                3'b010: for (index = 0; index < 4; index = index + 1)  // PRECHARGE
                    if (a[10] || ba == index[1:0]) precharge(index[1:0]);
                3'b001: begin  // REFRESH
                    if (open != 0) told(12);
                    for (index = 0; index < 4; index = index + 1) if (!precharged(index[1:0])) told(3);
                    if (ready && now - refreshed > longest_gap) longest_gap = now - refreshed;
                    slack = slack + REFRESH_PS > REFRESH_PS ? REFRESH_PS : slack + REFRESH_PS;
                    refreshes = refreshes + 1;
                    refreshed = now;
                end
                3'b000: begin  // MODE REGISTER SET
                    if (open != 0) told(12);
                    for (index = 0; index < 4; index = index + 1) if (!precharged(index[1:0])) told(3);
                    latency = a[6:4];
                    if (a[12:7] != 0 || a[3:0] != 0 || ba != 0 || latency < 2 || latency > 3 || refreshes < 2) told(13);
                    set = now;
                    ready = 1;
                    slack = REFRESH_PS;
                end
                default: told(19);  // BURST STOP
            endcase
        end
    end

    always @(negedge clk) begin
        late <= out;
        late_drive <= drive;
    end
endmodule
