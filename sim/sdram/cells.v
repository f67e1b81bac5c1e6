// Cells of an ECP5 that an SDRAM controller instantiates, most of them at its pins.

module OFS1P3BX(input D, SP, SCLK, PD, output reg Q);
    always @(posedge SCLK) if (PD) Q <= 1; else if (SP) Q <= D;
endmodule

module IFS1P3BX(input D, SP, SCLK, PD, output reg Q);
    always @(posedge SCLK) if (PD) Q <= 1; else if (SP) Q <= D;
endmodule

module TRELLIS_IO #(parameter DIR = "INPUT") (inout B, input I, T, output O);
    assign B = T ? 1'bz : I;
    assign O = B;
endmodule

// Of the reset's synchroniser.
module FD1S3BX(input D, CK, PD, output reg Q);
    always @(posedge CK, posedge PD) if (PD) Q <= 1; else Q <= D;
endmodule

// Two data a period: of the clock's high half and of its low one.
module ODDRX1F(input D0, D1, SCLK, RST, output Q);
    assign Q = RST ? 1'b0 : SCLK ? D0 : D1;
endmodule
