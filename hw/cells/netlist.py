"""NetlistPlatform: tells components that they are elaborated into Verilog, where black boxes may stand."""

from __future__ import annotations

__all__ = ["NetlistPlatform"]


class NetlistPlatform:
    """Platform of generated Verilog: components may instantiate modules that `hw.verilog` defines."""
