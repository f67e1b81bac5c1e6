"""CoreSource: the Verilog of a core, what it is known by, and what a bench must know of its ports."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ...hw.spec.config import AcceleratorConfig

__all__ = ["CoreSource", "WrittenOnDemand"]

_PORTS = {
    "input s_wb_stb;": "wishbone",
    "input host_valid;": "bare",
    "input spi_sck;": "spi",
    "input usb_clk_48;": "usb",
}
_UART_SPEED = re.compile(r"^// uart_divisor = (\d+)$", re.MULTILINE)
_STREAM_PORT = "input s_axis_tvalid;"
_FLASH_PORT = "output flash_sck;"
_BUS_PORT = re.compile(r"input \[(\d+):0\] m_axi_rdata")


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
class CoreSource:
    """A module ``narrows_core``.

    Attributes
    ----------
    key : str
        A build is kept by it.
    text : callable
        Gives the Verilog.
    host : str
        The host's port: ``"axi"``, ``"wishbone"``, ``"bare"``, ``"uart"`` or ``"spi"``.
    uart_divisor : int
        Cycles of a bit, with a UART.
    bus_bits : int
        Width of the bus to a backing store; 0: none.
    streams : bool
        Frames come in and answers go out as streams, too.
    boots : bool
        Whether it has pins for a flash.
    """

    key: str
    text: Callable[[], str]
    host: str
    uart_divisor: int
    bus_bits: int
    streams: bool = False
    boots: bool = False

    @property
    def line(self) -> str:
        """What the host is connected by: ``"uart"``, ``"spi"`` or ``"bus"``."""
        return self.host if self.host in ("uart", "spi") else "bus"

    @staticmethod
    def of(verilog: str | WrittenOnDemand) -> CoreSource:
        """The source of a core; what text does not say otherwise is read from its ports."""
        if not isinstance(verilog, str):
            config = verilog.config
            bus_bits = config.bus_bits if config.has_backing else 0
            streams, boots = bool(config.streams), bool(config.boot)
            return CoreSource(
                verilog.key, verilog.text, config.host, config.uart_divisor, bus_bits, streams=streams, boots=boots
            )
        speed, bus = _UART_SPEED.search(verilog), _BUS_PORT.search(verilog)
        return CoreSource(
            verilog,
            lambda: verilog,
            "uart" if speed else next((host for port, host in _PORTS.items() if port in verilog), "axi"),
            int(speed[1]) if speed else 0,
            int(bus[1]) + 1 if bus else 0,
            streams=_STREAM_PORT in verilog,
            boots=_FLASH_PORT in verilog,
        )
