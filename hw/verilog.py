"""Verilog of a core, for simulators and synthesis."""

from __future__ import annotations

from amaranth.back import verilog

from .core import Core
from .spec.config import AcceleratorConfig

__all__ = ["TOP", "to_verilog"]

TOP = "narrows_core"
"""Name of the generated top module."""


def to_verilog(config: AcceleratorConfig) -> str:
    """Verilog of the core of a configuration, top module `TOP`, ports ``clk``, ``rst`` and those of `Core`."""
    return verilog.convert(Core(config), name=TOP, emit_src=False)
