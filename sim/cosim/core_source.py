"""WrittenOnDemand, GivenVerilog: the Verilog of a core with its configuration, which says what a bench must know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ...hw.spec.config import AcceleratorConfig

__all__ = ["GivenVerilog", "WrittenOnDemand", "line_of"]


class WrittenOnDemand(Protocol):
    """The Verilog of a configuration (`narrows.hw.core_verilog.CoreVerilog`), known without being written."""

    @property
    def config(self) -> AcceleratorConfig:
        """The core's parameters."""
        ...

    @property
    def key(self) -> str:
        """What differs when the Verilog may."""
        ...

    def text(self) -> str:
        """The Verilog."""
        ...


@dataclass(frozen=True)
class GivenVerilog:
    """A core whose Verilog is there: a netlist, a system around a core, a stand-in.

    Parameters
    ----------
    config : AcceleratorConfig
        Of a core with the same ports.
    verilog : str
    known_by : str
        Another key than the Verilog itself.
    """

    config: AcceleratorConfig
    verilog: str
    known_by: str = ""

    @property
    def key(self) -> str:
        """What differs when the Verilog does."""
        return self.known_by or self.verilog

    def text(self) -> str:
        """The Verilog."""
        return self.verilog


def line_of(config: AcceleratorConfig) -> str:
    """What a core's host is connected by in a bench: ``"uart"``, ``"spi"``, or ``"bus"`` for all ports of words."""
    return config.host if config.host in ("uart", "spi") else "bus"
