"""A core for other people's designs: what goes beside its Verilog, generated from the contract."""

from .bundle import standalone_files

__all__ = ["standalone_files"]
