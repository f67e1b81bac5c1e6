"""An SPI flash memory at its pins, for simulators."""

from .sources import FLASH_IMAGE, bench_verilog, chip_verilog, flash_arguments

__all__ = ["FLASH_IMAGE", "bench_verilog", "chip_verilog", "flash_arguments"]
