// How a bench begins: its clock, whose every second change is a rising edge, and `done`, which it toggles when a batch is played.
// Under Verilator main.cpp makes the clock and looks at `done`; else the bench does.
`ifdef VERILATOR
`define NARROWS_BENCH(name) module name (input clk, output reg done /* verilator public_flat_rd */);
`else
`define NARROWS_BENCH(name) module name; reg done; reg clk = 0; always #5 clk = !clk;
`endif
