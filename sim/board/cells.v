// Models of what stands between a board's top and its pins: clock generators and pin buffers.
//
// The bench's clock is that of the core: a clock generator hands its input on, and is locked while the board has power.
// Whether it can make the board's frequency is not a matter of simulation.

module EHXPLLL #(
    parameter CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 1, CLKOP_ENABLE = "ENABLED", FEEDBK_PATH = "CLKOP", PLLRST_ENA = "DISABLED",
    parameter INTFB_WAKE = "DISABLED", STDBY_ENABLE = "DISABLED", DPHASE_SOURCE = "DISABLED", OUTDIVIDER_MUXA = "DIVA",
    parameter CLKOP_CPHASE = 0, CLKOP_FPHASE = 0, CLKOP_TRIM_POL = "RISING", CLKOP_TRIM_DELAY = 0,
    parameter CLKOS_ENABLE = "DISABLED", CLKOS_DIV = 1, CLKOS_CPHASE = 0, CLKOS_FPHASE = 0, OUTDIVIDER_MUXB = "DIVB",
    parameter CLKOS2_ENABLE = "DISABLED", CLKOS2_DIV = 1, CLKOS2_CPHASE = 0, CLKOS2_FPHASE = 0, OUTDIVIDER_MUXC = "DIVC"
) (
    input CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP,
    output CLKOP, CLKOS, CLKOS2, LOCK, CLKINTFB
);
    assign CLKOP = CLKI;
    // for USB, of a core that is twice as fast as its transceiver
    generate if (CLKOS_ENABLE == "ENABLED") begin : second
        reg [2:0] count = 0;
        always @(posedge CLKI) count <= count - 1;
        assign CLKOS = count[0];
        assign CLKOS2 = count[2];
    end endgenerate
    assign CLKINTFB = 0;
    assign LOCK = bench.power;
endmodule

// Starts and stops between two pulses.
module DCCA(input CLKI, CE, output CLKO);
    reg enabled = 0;
    always @* if (!CLKI) enabled = CE;
    assign CLKO = CLKI & enabled;
endmodule

module SB_PLL40_PAD #(
    parameter FEEDBACK_PATH = "SIMPLE", DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0
) (input PACKAGEPIN, RESETB, BYPASS, output PLLOUTGLOBAL, PLLOUTCORE, LOCK);
    assign PLLOUTGLOBAL = PACKAGEPIN;
    assign PLLOUTCORE = PACKAGEPIN;
    assign LOCK = bench.power;
endmodule

module SB_PLL40_CORE #(
    parameter FEEDBACK_PATH = "SIMPLE", DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0
) (input REFERENCECLK, RESETB, BYPASS, output PLLOUTGLOBAL, PLLOUTCORE, LOCK);
    assign PLLOUTGLOBAL = REFERENCECLK;
    assign PLLOUTCORE = REFERENCECLK;
    assign LOCK = bench.power;
endmodule

module rPLL #(
    parameter FCLKIN = "", DEVICE = "", IDIV_SEL = 0, FBDIV_SEL = 0, ODIV_SEL = 0, DYN_IDIV_SEL = "", DYN_FBDIV_SEL = "", DYN_ODIV_SEL = "",
    parameter PSDA_SEL = "", DYN_DA_EN = "", DUTYDA_SEL = "", CLKFB_SEL = "", CLKOUT_BYPASS = "", CLKOUTP_BYPASS = "", CLKOUTD_BYPASS = "",
    parameter DYN_SDIV_SEL = 0, CLKOUTD_SRC = "", CLKOUTD3_SRC = "", CLKOUT_FT_DIR = 0, CLKOUTP_FT_DIR = 0, CLKOUT_DLY_STEP = 0, CLKOUTP_DLY_STEP = 0
) (
    input CLKIN, CLKFB, RESET, RESET_P, input [5:0] FBDSEL, IDSEL, ODSEL, input [3:0] PSDA, DUTYDA, FDLY,
    output CLKOUT, CLKOUTP, CLKOUTD, CLKOUTD3, LOCK
);
    assign CLKOUT = CLKIN;
    assign LOCK = bench.power;
endmodule

module IB(input I, output O);
    assign O = I;
endmodule

module OB(input I, output O);
    assign O = I;
endmodule

module BB(inout B, input I, T, output O);
    assign B = T ? 1'bz : I;
    assign O = B;
endmodule

module OBZ(input I, input T, output O);
    assign O = I;
endmodule

// build.py calls an SB_IO that only reads its pin SB_IO_IN: Verilator lets no input be connected to an inout.
module SB_IO #(
    parameter PIN_TYPE = 6'b0, PULLUP = 0, IO_STANDARD = ""
) (output PACKAGE_PIN, input D_OUT_0, input OUTPUT_ENABLE, output D_IN_0);
    assign PACKAGE_PIN = D_OUT_0;
    assign D_IN_0 = D_OUT_0;
endmodule

module SB_IO_IN #(
    parameter PIN_TYPE = 6'b0, PULLUP = 0, IO_STANDARD = ""
) (input PACKAGE_PIN, output D_IN_0);
    assign D_IN_0 = PACKAGE_PIN;
endmodule

module SB_GB_IO #(
    parameter PIN_TYPE = 6'b0, PULLUP = 0, IO_STANDARD = ""
) (input PACKAGE_PIN, output GLOBAL_BUFFER_OUTPUT);
    assign GLOBAL_BUFFER_OUTPUT = PACKAGE_PIN;
endmodule

module IBUF(input I, output O);
    assign O = I;
endmodule

module OBUF(input I, output O);
    assign O = I;
endmodule

module TBUF(input I, input OEN, output O);
    assign O = I;
endmodule

module USRMCLK(input USRMCLKI, USRMCLKTS);
endmodule
