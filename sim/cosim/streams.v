// What is at a core's AXI4-Streams: who sends frames, and who takes answers. The bench puts beats into `frames` and takes them out of
// `answers`, at once; between them and the core every beat waits at random, and what must not change while one waits is watched.
`timescale 1ns / 1ps

module narrows_streams (
    input clk, rst,
    input [7:0] frame_stall, answer_stall,          // of 256 tries
    output reg [31:0] violations,
    output s_tvalid, s_tlast, s_tuser,
    input s_tready,
    output [7:0] s_tdata,
    input m_tvalid, m_tlast, m_tuser,
    output m_tready,
    input [7:0] m_tdata
);
    localparam LOG2 = 20;
    reg [9:0] frames [0:(1 << LOG2) - 1];           // TUSER above TLAST above the byte
    reg [9:0] answers [0:(1 << LOG2) - 1];          // likewise
    reg [31:0] sent = 0, put = 0, known = 0, got = 0, whole = 0;
    reg [31:0] noise = 32'h1b56c4f5;
    reg open = 0, held = 0;
    reg [9:0] was = 0;
    reg accepts = 0;

    assign s_tvalid = open && sent != known;
    assign s_tdata = frames[sent[LOG2-1:0]][7:0];
    assign s_tlast = frames[sent[LOG2-1:0]][8];
    assign s_tuser = frames[sent[LOG2-1:0]][9];
    assign m_tready = accepts;

    initial violations = 0;

    always @(posedge clk) begin
        known <= put;
        noise <= {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]} ^ (noise << 5);
        if (!s_tvalid || s_tready) open <= noise[7:0] >= frame_stall;
        accepts <= noise[17:10] >= answer_stall;
        if (s_tvalid && s_tready) sent <= sent + 1;
        if (m_tvalid && m_tready) begin
            answers[got[LOG2-1:0]] <= {m_tuser, m_tlast, m_tdata};
            got <= got + 1;
            if (m_tlast) whole <= whole + 1;
        end
        held <= m_tvalid && !m_tready && !rst;
        was <= {m_tuser, m_tlast, m_tdata};
        if (held && (!m_tvalid || was != {m_tuser, m_tlast, m_tdata})) violations <= violations + 1;
    end

    task send(input [31:0] beat);
        begin
            frames[put[LOG2-1:0]] = beat[9:0];
            put = put + 1;
        end
    endtask
endmodule
