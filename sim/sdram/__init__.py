"""An SDRAM chip at its pins, and what stands around it in simulation."""

from .sources import chip_verilog, memory_verilog

__all__ = ["chip_verilog", "memory_verilog"]
