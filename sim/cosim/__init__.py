"""Co-simulation: programs run on the generated Verilog, under Verilator or Icarus."""
