"""An SDRAM chip at its pins, and what stands around it in simulation."""

from .sources import STATISTICS, chip_verilog, memory_verilog

__all__ = ["STATISTICS", "chip_verilog", "memory_verilog"]
