// An SPI NOR flash memory at its pins, mode 0, a bit at a time: wake (AB), deep power-down (B9), read (03), fast read (0B).
//
// Pins are looked at with the rising edge of `clk`, which only this model has. When `power` comes it sleeps, as behind an FPGA that has
// sent it to sleep, and hears nothing but the wake. Its content is the file of the plusarg `flash`, from the address of the plusarg
// `flash_base` on; all else reads as ones, as erased.
//
// `violations` counts broken rules, the first ones are told on the simulator's output: how long the clock is high and low, how long the
// chip is not selected between two commands, that nothing is asked of it before it is awake. Data come DELAY_PS after the clock's
// falling edge, ways to and from the chip included, in whole cycles.
module narrows_flash_chip #(
    parameter BYTES_LOG2 = 20, PERIOD_PS = 10000, HALF_PS = 10000, SELECT_PS = 100000, WAKE_PS = 5000000, DELAY_PS = 20000
) (
    input clk, power, cs_n, sck, copi, output cipo, output reg [31:0] violations
);
    localparam TOLD = 20;
    localparam HALF = (HALF_PS + PERIOD_PS - 1) / PERIOD_PS, SELECT = (SELECT_PS + PERIOD_PS - 1) / PERIOD_PS;
    localparam WAKE = (WAKE_PS + PERIOD_PS - 1) / PERIOD_PS, DELAY = (DELAY_PS + PERIOD_PS - 1) / PERIOD_PS;
    localparam WAKE_UP = 8'hab, SLEEP = 8'hb9, READ = 8'h03, FAST_READ = 8'h0b;

    reg [7:0] bytes [0:(1 << BYTES_LOG2) - 1];
    reg [8 * 4096 - 1:0] path;
    integer file, size, base;
    initial begin
        violations = 0;
        size = 0;
        base = 0;
        if ($value$plusargs("flash_base=%d", base)) ;
        if ($value$plusargs("flash=%s", path)) begin
            file = $fopen(path, "rb");
            if (file != 0) begin
                size = $fread(bytes, file);
                $fclose(file);
            end
        end
    end

    reg was_cs = 1, was_sck = 0, asleep = 1;
    reg [31:0] now = 0, sck_since = 0, cs_since = 0, awake_at = 0;
    reg [31:0] count = 0;       // rising edges since the selection
    reg [7:0] command = 0;
    reg [23:0] address = 0;
    reg [2:0] bit_left = 7;
    reg level = 1;
    reg [15:0] coming = 16'hffff;
    assign cipo = DELAY > 1 ? coming[DELAY - 2] : level;

    task object(input [8 * 32 - 1:0] what);
        begin
            violations <= violations + 1;
            if (violations < TOLD) $display("flash: %0s at cycle %0d", what, now);
        end
    endtask

    wire [31:0] place = {8'b0, address} - base;
    wire [7:0] content = place < size ? bytes[place[BYTES_LOG2-1:0]] : 8'hff;

    always @(posedge clk) begin
        now <= now + 1;
        was_cs <= cs_n;
        was_sck <= sck;
        coming <= {coming[14:0], level};
        if (sck != was_sck) sck_since <= now;
        if (cs_n != was_cs) cs_since <= now;
        if (!power) begin
            asleep <= 1;
            awake_at <= 0;
            count <= 0;
        end else if (was_cs && !cs_n) begin
            count <= 0;
            bit_left <= 7;
            level <= 1;
            if (sck) object("selected with the clock high");
            if (now - cs_since < SELECT && now > SELECT) object("selected too soon");
            if (!asleep && now < awake_at) object("selected before it is awake");
        end else if (!was_cs && cs_n) begin
            if (count == 8 && command == WAKE_UP && asleep) begin
                asleep <= 0;
                awake_at <= now + WAKE;
            end else if (count == 8 && command == SLEEP) asleep <= 1;
        end else if (!cs_n && sck && !was_sck) begin
            count <= count + 1;
            if (count < 8) command <= {command[6:0], copi};
            else if (count < 32) address <= {address[22:0], copi};
            if (count != 0 && now - sck_since < HALF) object("clock low for too short");
        end else if (!cs_n && !sck && was_sck) begin
            if (now - sck_since < HALF) object("clock high for too short");
            if (!asleep && ((command == READ && count >= 32) || (command == FAST_READ && count >= 40))) begin
                level <= content[bit_left];
                bit_left <= bit_left - 1;
                if (bit_left == 0) address <= address + 1;
            end
        end
    end
endmodule
