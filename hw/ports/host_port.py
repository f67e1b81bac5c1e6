"""host_port: the port that a configuration gives the host."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.lib import wiring

from ..spec.config import AcceleratorConfig
from .axi_lite import AXI_LITE_PORTS, AxiLitePort
from .bare_port import BARE_PORTS, BarePort
from .spi import SPI_PORTS
from .spi_port import SpiPort
from .uart_port import UART_PORTS, UartPort
from .wishbone import WISHBONE_PORTS, WishbonePort

__all__ = ["PREFIXES", "host_port"]

PREFIXES = {"axi": "s_axil_", "wishbone": "s_wb_", "uart": "uart_", "spi": "spi_", "bare": "host_"}
"""What the names of a core's pins begin with, by ``AcceleratorConfig.host``."""


def host_port(config: AcceleratorConfig) -> tuple[wiring.Component, Mapping[str, wiring.Member]]:
    """A component with the members of `HOST_BUS`, and its other members: the pins, by name without prefix."""
    match config.host:
        case "wishbone":
            return WishbonePort(), WISHBONE_PORTS
        case "uart":
            return UartPort(config), UART_PORTS
        case "spi":
            return SpiPort(config), SPI_PORTS
        case "bare":
            return BarePort(), BARE_PORTS
        case _:
            return AxiLitePort(), AXI_LITE_PORTS
